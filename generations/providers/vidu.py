"""Vidu, the official service. The marks on facts are those of ``vidu_words``."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from . import catalog_vidu, vidu_callback, vidu_fields, wire
from .base import (
    IMAGES_SETTING,
    Account,
    Answer,
    Balance,
    Call,
    CallKind,
    KeySetting,
    ListPage,
    Mode,
    Order,
    Provider,
    ProviderError,
    Receipt,
    RemoteState,
    Snapshot,
    Unit,
    gettext_noop,
)
from .vidu_words import REASONS, STATES, Accepted, Credits, ErrorBody, Task, TaskList, receipt, snapshot

# The list page prints `paper.pagesz`, everything around it says `pager`; unknown query keys are ignored [inferred].
SIZE_KEYS = {
    "both": ("pager.pagesz", "paper.pagesz"),
    "pager": ("pager.pagesz",),
    "paper": ("paper.pagesz",),
}
PAGE_SIZE = 100  # the largest [docs]


class Vidu(Provider):
    slug = "vidu"
    name = "Vidu"
    base_urls = ("https://api.vidu.com", "https://api.vidu.cn")  # separate sites with separate keys [inferred]
    unit = Unit.CREDIT
    offers = catalog_vidu.OFFERS
    experiments = catalog_vidu.EXPERIMENTS
    rates = {"": catalog_vidu.USD_PER_CREDIT, "https://api.vidu.cn": catalog_vidu.CNY_PER_CREDIT}
    settings = (
        IMAGES_SETTING,
        KeySetting(
            "list_page_size",
            gettext_noop("Page size of the task list"),
            "both",
            gettext_noop("The vendor's page spells this parameter in two ways; unknown ones should be ignored."),
            (("both", "pager.pagesz + paper.pagesz"), ("pager", "pager.pagesz"), ("paper", "paper.pagesz")),
        ),
        KeySetting(
            "experiments",
            gettext_noop("Upscale, extend and scene templates"),
            False,
            gettext_noop("Experimental: known from other programs alone, not from the vendor's pages."),
        ),
        KeySetting(
            "callback_secret",
            gettext_noop("Callback secret"),
            "",
            gettext_noop("Signs the vendor's callbacks. Empty: the key itself, as its page says."),
            secret=True,
        ),
    )
    can_list = True
    can_cancel = True
    carries_token = True
    calls_back = True
    poll_every = 2.5  # one list request serves a hundred tasks
    reports_balance = True
    auth_scheme = "Token"

    def build_create(self, account: Account, order: Order) -> Call:
        body = vidu_fields.body(order, vidu_fields.FIELDS.get(order.mode) or vidu_fields.EXPERIMENTS[order.mode])
        path = "upscale-new" if order.mode is Mode.UPSCALE else order.mode.value  # [client code]
        return self.call(account, CallKind.CREATE, f"/ent/v2/{path}", body=body)

    def read_receipt(self, answer: Answer) -> Receipt:
        accepted = wire.read_ok(Accepted, answer)
        if accepted is None:
            raise _refusal(answer, CallKind.CREATE)
        return receipt(accepted)

    def build_query(self, account: Account, remote_id: str, model: str) -> Call:
        return self.call(account, CallKind.QUERY, f"/ent/v2/tasks/{quote(remote_id, safe='')}/creations")

    def read_snapshot(self, answer: Answer) -> Snapshot:
        task = wire.read_ok(Task, answer)
        if task is None or not task.state:
            raise _refusal(answer, CallKind.QUERY)
        return snapshot(task)

    def build_test(self, account: Account) -> Call:
        return self.call(account, CallKind.BALANCE, "/ent/v2/credits", query=[("show_detail", "true")])

    def read_test(self, answer: Answer) -> Balance:
        credits = wire.read_ok(Credits, answer)
        if credits is None:
            raise _refusal(answer, CallKind.BALANCE)
        return credits.balance()

    def build_list(
        self,
        account: Account,
        *,
        ids: Sequence[str],
        created_from: datetime,
        created_to: datetime,
        page_token: str,
        states: Sequence[RemoteState] = (),
    ) -> Call:
        """Pages go by token alone. Both bounds are sent, since the default hides what is older than 7 days [docs].

        The key's setting drops a spelling of the page size that the service should come to refuse.
        """
        query = [
            ("created_at.from", _rfc3339(created_from)),
            ("created_at.to", _rfc3339(created_to + timedelta(microseconds=999_999))),  # up to the next full second
            *(("task_ids", each) for each in ids),
            *(("states", raw) for raw, state in STATES.items() if state in states),
            *((key, str(PAGE_SIZE)) for key in SIZE_KEYS[self.setting(account, "list_page_size")]),
            *([("pager.page_token", page_token)] if page_token else []),
        ]
        return self.call(account, CallKind.LIST, "/ent/v2/tasks", query=query)

    def read_list(self, answer: Answer) -> ListPage:
        """An object with neither ``tasks`` nor a page token is somebody else's answer, not an empty list."""
        page = wire.read_ok(TaskList, answer)
        if page is None or not page.model_fields_set:
            raise _refusal(answer, CallKind.LIST)
        tasks = [wire.read(Task, row) for row in page.tasks or []]
        rows = tuple(snapshot(task, listed=True) for task in tasks if task)
        return ListPage(rows, page.next_page_token, unread=tasks.count(None))

    def build_cancel(self, account: Account, remote_id: str) -> Call:
        path = f"/ent/v2/tasks/{quote(remote_id, safe='')}/cancel"
        return self.call(account, CallKind.CANCEL, path, body={"id": remote_id})

    def read_cancel(self, answer: Answer) -> None:
        """Accepted is ``{}`` or null; the task must still be seen ending. Only waiting tasks can be [docs]."""
        if answer.status != 200 or not (answer.json() == {} or answer.content.strip() in (b"", b"null")):
            raise _refusal(answer, CallKind.CANCEL)

    def check_callback(
        self, account: Account, *, method: str, url: str, headers: Mapping[str, str], now: datetime
    ) -> str:
        secret = self.setting(account, "callback_secret") or account.secret
        return vidu_callback.check(method, url, headers, secret, now)

    def read_callback(self, body: bytes) -> tuple[str, RemoteState | None]:
        return vidu_callback.state_of(body)


def _refusal(answer: Answer, kind: CallKind) -> ProviderError:
    """[docs: error-code] The body holds ``reason``, ``message`` and ``metadata.trace_id``."""
    error = wire.read(ErrorBody, answer.json()) or ErrorBody()
    trace = wire.word(error.metadata.get("trace_id"))
    return wire.refusal(answer, kind, REASONS.get(error.reason), code=error.reason, text=error.message, trace_id=trace)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
