"""Vtrix. [docs] are its own pages, [client code] its command line tool: an envelope around Vidu's fields.

The mode is part of the model id. Failures are named by the step of the gateway that broke, never by the cause.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BeforeValidator

from . import catalog_vtrix, gateway, reading, vidu_fields, wire
from .base import (
    IMAGES_SETTING,
    Account,
    Answer,
    Balance,
    Call,
    CallKind,
    Failure,
    FailureClass,
    Order,
    Output,
    Provider,
    ProviderError,
    Receipt,
    RemoteState,
    Snapshot,
    Unit,
)

STATES = {  # [docs]
    "in_progress": RemoteState.QUEUED,  # until it makes progress
    "completed": RemoteState.SUCCEEDED,
    "failed": RemoteState.FAILED,
}
# What a model takes besides the fields of every model, by the beginning of its id [docs]. Never sent are `off_peak`,
# which is "temporarily unavailable", and `callback_url`, whose format and signature nobody tells.
_ALWAYS = {"prompt", "images", "duration", "resolution", "aspect_ratio", "seed", "payload"}
_FURTHER = (
    ("viduq2_pro_fast_text2video", {"bgm", "watermark", "wm_position", "wm_url", "meta_data"}),
    ("viduq2_pro_fast_img2video", {"audio", "bgm", "is_rec"}),
    ("viduq3", {"audio"}),
    ("viduq2", {"audio", "bgm"}),  # where the page is not known, what Vidu's model takes [inferred]
    ("", {"bgm"}),
)
_STATUSES = {403: FailureClass.ACCOUNT_CREDITS}
FORBIDDEN = "Status 403 stands for an empty balance and for a key without permission alike."
NO_TASK = "0"


def _progress(value: object) -> int | None:
    number = wire.amount(value, Decimal(1))  # 0.0 to 1.0 [docs]
    return None if number is None else int(number * 100)


class Content(wire.Wire):
    type: wire.Word = ""
    url: wire.Link = ""
    jobId: wire.Word = ""


class Part(wire.Wire):
    content: Annotated[list[Content], BeforeValidator(wire.objects)] = []


class Generation(gateway.Job):
    progress: Annotated[int | None, BeforeValidator(_progress)] = None
    output: Annotated[list[Part], BeforeValidator(wire.objects)] = []
    usage: wire.Mapped = {}
    error: Any = None  # an object or plain text


class Vtrix(Provider):
    slug = "vtrix"
    name = "Vtrix"
    base_urls = ("https://cloud.vtrix.ai", "https://vtrix.ai")
    unit = Unit.USD
    offers = catalog_vtrix.OFFERS
    settings = (IMAGES_SETTING,)
    sends = frozenset({"audio", "bgm"})  # [docs] off-peak is "temporarily unavailable"
    carries_token = True

    def build_create(self, account: Account, order: Order) -> Call:
        """All but the model goes into ``input[0].params``."""
        further = next(fields for start, fields in _FURTHER if order.model.startswith(start))
        params = vidu_fields.body(order, vidu_fields.FIELDS[order.mode] & (_ALWAYS | further))
        body = {"model": order.model, "input": [{"params": params}]}
        return self.call(account, CallKind.CREATE, "/model/v1/generation", body=body)

    def read_receipt(self, answer: Answer) -> Receipt:
        generation = wire.read_ok(Generation, answer)
        if generation is None:
            raise _refusal(answer, CallKind.CREATE)
        return reading.receipt(generation.id, STATES.get(generation.status))

    def build_query(self, account: Account, remote_id: str, model: str) -> Call:
        return self.call(account, CallKind.QUERY, f"/model/v1/generation/task/{quote(remote_id, safe='')}")

    def read_snapshot(self, answer: Answer) -> Snapshot:
        """``usage.cost`` is in dollars [docs]."""
        generation = wire.read_ok(Generation, answer)
        if generation is None or not generation.status:
            raise _refusal(answer, CallKind.QUERY)
        outputs, unlinked = _outputs(generation)
        return reading.snapshot(
            generation.id,
            generation.status,
            {**STATES, "in_progress": RemoteState.PROCESSING} if generation.progress else STATES,
            unit=self.unit,
            outputs=outputs,
            unlinked=unlinked,
            failure=_failure(generation),
            cost=generation.usage.get("cost"),
            progress=generation.progress,
        )

    def build_test(self, account: Account) -> Call:
        return replace(self.build_query(account, NO_TASK, ""), kind=CallKind.BALANCE)

    def read_test(self, answer: Answer) -> Balance:
        if answer.status == 403:  # as for every other read, and not the key's fault alone
            raise _refusal(answer, CallKind.BALANCE)
        return gateway.key_is_good(answer)


def _outputs(generation: Generation) -> tuple[list[Output], int]:
    """The videos with a link, and how many have none."""
    videos = [each for part in generation.output for each in part.content if each.type in ("", "video")]
    linked = [(position, each) for position, each in enumerate(videos) if each.url]
    outputs = [reading.output(position, each.url, remote_id=each.jobId) for position, each in linked]
    return outputs, len(videos) - len(linked)


def padded(code: str) -> str:
    """Codes are typed as integers and listed with nine digits: 8020099 is ``008020099``; 0 is none [docs]."""
    number = code.isascii() and code.isdecimal()
    return code if not number else code.zfill(9) if code.strip("0") else ""


def _failure(generation: Generation) -> Failure:
    words = gateway.said({"error": generation.error})
    return gateway.failure(padded(words.code), words.text)


def _refusal(answer: Answer, kind: CallKind) -> ProviderError:
    words = gateway.said(answer.json())
    code = words.code if words.code == str(answer.status) else padded(words.code)
    text = f"{words.text} {FORBIDDEN}".strip() if answer.status == 403 else words.text
    return gateway.refusal(answer, kind, replace(words, code=code, text=text), _STATUSES)
