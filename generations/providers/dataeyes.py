"""DataEyes, a gateway that passes Vidu's answers through. The marks on facts are those of ``vidu_words``.

Printed is the query alone [docs]. Create is taken to be Vidu's own, below another path [inferred].
"""

import re
from dataclasses import dataclass, replace
from urllib.parse import quote

from . import catalog_dataeyes, gateway, vidu_fields, wire
from .base import (
    IMAGES_SETTING,
    Account,
    Answer,
    Balance,
    Call,
    CallKind,
    KeySetting,
    Order,
    Provider,
    Receipt,
    RemoteState,
    Snapshot,
    Unit,
    gettext_noop,
)
from .vidu_words import Accepted, Task, receipt, snapshot

_RESOLUTION = re.compile(r"\d{3,4}p|[248]k", re.I)
_DURATION = re.compile(r"(\d{1,2})s", re.I)
FIELDS = {mode: fields - {"callback_url"} for mode, fields in vidu_fields.FIELDS.items()}  # none known
NO_TASK = "0"  # ids are decimal; with Vidu this one is answered 404 [client code]
PRINTED_MODEL = "viduq2-turbo-720p-5s"  # the only id that the vendor prints [docs]


@dataclass(frozen=True, slots=True)
class Tier:
    """What a model id tells: ``viduq2-turbo-720p-5s``. "" and None for what it leaves open."""

    family: str
    resolution: str = ""
    duration: int | None = None  # seconds


def tier(model: str) -> Tier:
    """Split a model id. Parts may come in any order, with dashes or underscores; what is no tier is the family."""
    parts = re.split(r"[-_]", model)
    resolutions = [part for part in parts if _RESOLUTION.fullmatch(part)]
    durations = [part for part in parts if _DURATION.fullmatch(part)]
    family = "-".join(part for part in parts if part not in (*resolutions[:1], *durations[:1]))
    resolution = resolutions[0].lower() if resolutions else ""
    return Tier(family, resolution, int(durations[0][:-1]) if durations else None)


class DataEyes(Provider):
    slug = "dataeyes"
    name = "DataEyes"
    base_urls = (  # the last is printed beside the query, and is said to be another product's [client code]
        "https://cloud.dataeyes.ai",
        "https://cloud-cn.dataeyes.ai",
        "https://cloud-hk.dataeyes.ai",
        "https://api.dataeyes.ai",
    )
    unit = Unit.CREDIT  # Vidu's credits, which need not be what DataEyes takes [inferred]
    offers = catalog_dataeyes.OFFERS
    settings = (
        IMAGES_SETTING,
        KeySetting(
            "create_path",
            gettext_noop("Path of a create"),
            "/v2/{mode}",
            gettext_noop("Not printed by the vendor. {mode} is text2video, img2video and so on."),
            placeholders=("mode",),
        ),
        KeySetting(
            "query_model",
            gettext_noop("A query names the model"),
            "body",
            gettext_noop("The vendor asks for a body in a GET request, which some proxies drop."),
            (
                ("body", gettext_noop("in the body, as the vendor prints")),
                ("query", gettext_noop("as ?model= in the address")),
                ("none", gettext_noop("not at all")),
            ),
        ),
    )
    carries_token = True

    def build_create(self, account: Account, order: Order) -> Call:
        """Resolution and length are left out where the model id carries them."""
        body = vidu_fields.body(order, FIELDS[order.mode])
        told = tier(order.model)
        if told.resolution:
            body.pop("resolution", None)
        if told.duration is not None:
            body.pop("duration", None)
        return self.call(account, CallKind.CREATE, self.path(account, "create_path", mode=order.mode), body=body)

    def read_receipt(self, answer: Answer) -> Receipt:
        accepted = wire.read_ok(Accepted, answer)
        if accepted is None:
            raise gateway.refusal(answer, CallKind.CREATE)
        return receipt(accepted)

    def build_query(self, account: Account, remote_id: str, model: str) -> Call:
        """``model`` has to be the very id of the create: the gateway presumably finds the way by it [inferred]."""
        path = f"/v2/tasks/{quote(remote_id, safe='')}/creations"
        how = self.setting(account, "query_model") if model else "none"
        query = [("model", model)] if how == "query" else []
        body = {"model": model} if how == "body" else None
        return self.call(account, CallKind.QUERY, path, query=query, body=body, method="GET")

    def read_snapshot(self, answer: Answer) -> Snapshot:
        task = wire.read_ok(Task, answer)
        if task is None or not task.state:
            raise gateway.refusal(answer, CallKind.QUERY)
        told = snapshot(task)
        # What is unknown is printed as 0 here [docs], and no finished clip is free.
        unsaid = told.state is RemoteState.SUCCEEDED and told.charge is not None and not told.charge.amount
        return replace(told, charge=None) if unsaid else told

    def build_test(self, account: Account) -> Call:
        return replace(self.build_query(account, NO_TASK, PRINTED_MODEL), kind=CallKind.BALANCE)

    def read_test(self, answer: Answer) -> Balance:
        return gateway.key_is_good(answer)
