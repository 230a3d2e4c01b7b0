"""XingChaoYiQing. [docs] are its own pages, [client code] clients of the same host.

The mode follows from the pictures present. Nothing passes our token through, and errors are free text.
"""

from typing import Any
from urllib.parse import quote

from . import catalog_xingchao, gateway, reading, wire
from .base import (
    Account,
    Answer,
    Balance,
    Call,
    CallKind,
    ImageTransport,
    Order,
    Provider,
    Receipt,
    RemoteState,
    Snapshot,
    Unit,
)

STATES = {  # [docs]
    "queued": RemoteState.QUEUED,
    "processing": RemoteState.PROCESSING,
    "completed": RemoteState.SUCCEEDED,
    "failed": RemoteState.FAILED,
}
_FRAMES = ("first_image", "last_image")
NO_TASK = "video_00000000-0000-0000-0000-000000000000"


class Result(gateway.Job):
    """The newer endpoint of the same host names link and tokens differently [client code]."""

    video_url: wire.Link = ""
    result_url: wire.Link = ""
    totalTokens: Any = None
    usage: wire.Mapped = {}
    error: Any = None

    @property
    def link(self) -> str:
        return self.video_url or self.result_url

    @property
    def tokens(self) -> Any:
        return self.usage.get("total_tokens") if self.totalTokens is None else self.totalTokens


class XingChao(Provider):
    slug = "xingchao"
    name = "XingChaoYiQing"
    base_urls = ("https://zcbservice.aizfw.cn/kyyReactApiServer",)
    unit = Unit.TOKEN
    offers = catalog_xingchao.OFFERS
    sends = frozenset()
    images = ImageTransport.URL  # [docs] public addresses only, no base64
    poll_every = 30.0  # [docs] every 30 to 60 s; faster may be limited
    poll_floor = 30.0

    def build_create(self, account: Account, order: Order) -> Call:
        body = {
            "model": order.model,
            "prompt": order.prompt,
            "duration": order.duration,
            "resolution": order.resolution,
            **({"aspect_ratio": order.aspect_ratio} if order.aspect_ratio else {}),
            **dict(zip(_FRAMES, order.images, strict=False)),
        }
        return self.call(account, CallKind.CREATE, "/v1/vidu/videos", body=body)

    def read_receipt(self, answer: Answer) -> Receipt:
        result = wire.read_ok(Result, answer, _unwrapped)
        if result is None:
            raise gateway.refusal(answer, CallKind.CREATE)
        return reading.receipt(result.id, STATES.get(result.status))

    def build_query(self, account: Account, remote_id: str, model: str) -> Call:
        return self.call(account, CallKind.QUERY, f"/v1/result/{quote(remote_id, safe='')}")

    def read_snapshot(self, answer: Answer) -> Snapshot:
        """Of a failure there is text only, and of the way there no progress [docs]."""
        result = wire.read_ok(Result, answer, _unwrapped)
        if result is None or not result.status:
            raise gateway.refusal(answer, CallKind.QUERY)
        return reading.snapshot(
            result.id,
            result.status,
            STATES,
            unit=self.unit,
            outputs=[reading.output(0, result.link)] if result.link else [],
            failure=gateway.failure("", gateway.said({"error": result.error}).text),
            cost=result.tokens,
        )

    def build_test(self, account: Account) -> Call:
        return self.call(account, CallKind.BALANCE, f"/v1/result/{NO_TASK}")

    def read_test(self, answer: Answer) -> Balance:
        return gateway.key_is_good(answer)


def _unwrapped(body: Any) -> object:
    """The newer endpoint wraps everything in ``data`` [client code]."""
    return wire.mapping(wire.mapping(body).get("data")) or body
