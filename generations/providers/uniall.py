"""UniAll, a gateway of the new-api family. The marks on facts are those of ``uniall_words``.

The mode follows from the fields present; resolution and off-peak are part of the model id [docs].
"""

from typing import Any

from . import catalog_uniall, gateway, reading, uniall_words, wire
from .base import (
    Account,
    Answer,
    Balance,
    Call,
    CallKind,
    ImageTransport,
    KeySetting,
    Mode,
    Order,
    Provider,
    Receipt,
    Snapshot,
    Unit,
    gettext_noop,
)

_FRAMES = ("image", "last_image")


class UniAll(Provider):
    slug = "uniall"
    name = "UniAll"
    base_urls = ("https://api.uniall.ai",)  # from a document of the same domain, not from the page itself [docs]
    unit = Unit.CREDIT
    offers = catalog_uniall.OFFERS
    images = ImageTransport.URL
    sends = frozenset({"audio", "bgm"})  # off-peak is another model id
    settings = (
        KeySetting(
            "query_path",
            gettext_noop("Path of a query"),
            "/v1/video/generations/{id}",
            gettext_noop("The vendor names this one and /v1/videos/{id}."),
            placeholders=("id",),
        ),
    )

    def build_create(self, account: Account, order: Order) -> Call:
        """``extra_body`` holds only what the order says."""
        said = {"audio": order.audio, "seed": order.seed, "bgm": order.options.get("bgm")}
        extras = {name: value for name, value in said.items() if value is not None}
        body = {
            "model": order.model,
            "prompt": order.prompt,
            **_pictures(order),
            **({"aspect_ratio": order.aspect_ratio} if order.aspect_ratio else {}),
            "duration": order.duration,
            **({"extra_body": extras} if extras else {}),
        }
        return self.call(account, CallKind.CREATE, "/v1/video/generations", body=body)

    def read_receipt(self, answer: Answer) -> Receipt:
        job = uniall_words.read(answer)
        if job is None:
            raise gateway.refusal(answer, CallKind.CREATE)
        return reading.receipt(job.id, uniall_words.STATES.get(job.status))

    def build_query(self, account: Account, remote_id: str, model: str) -> Call:
        return self.call(account, CallKind.QUERY, self.path(account, "query_path", id=remote_id))

    def read_snapshot(self, answer: Answer) -> Snapshot:
        job = uniall_words.read(answer)
        if job is None or not job.status:
            raise gateway.refusal(answer, CallKind.QUERY)
        return uniall_words.snapshot(job)

    def build_test(self, account: Account) -> Call:
        return self.call(account, CallKind.BALANCE, "/v1/models")

    def read_test(self, answer: Answer) -> Balance:
        """[docs] A list of models; what is left on the account is not in it."""
        if wire.read_ok(uniall_words.Models, answer) is None:
            raise gateway.refusal(answer, CallKind.BALANCE)
        return Balance(None)


def _pictures(order: Order) -> dict[str, Any]:
    """[docs] These fields decide the mode."""
    if order.mode is Mode.REFERENCE:
        return {"reference_image_urls": list(order.images)}
    return dict(zip(_FRAMES, order.images, strict=False)) if order.mode is not Mode.TEXT else {}
