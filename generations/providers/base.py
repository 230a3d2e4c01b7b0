"""The language between VideoForge and a vendor: values in, values out.

Nothing here or in a provider module touches the network, the clock or Django. A provider turns an
``Order`` into a ``Call`` and an ``Answer`` into a ``Receipt``, ``Snapshot``, ``ListPage`` or ``Balance``.

Errors
    ProviderError                 something other than a usable answer; carries a ``Failure``
    ├── NotSent                   the request surely never reached the vendor (DNS, connect, TLS, proxy)
    ├── AnswerLost                it may have reached the vendor, the outcome is unknown
    └── Refused                   the vendor answered no
"""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from .offer import Offer, Rate


def gettext_noop(text: str) -> str:
    """Mark a text for translation where it stands; whoever shows it translates it. Django goes by this name."""
    return text


class Mode(StrEnum):
    TEXT = "text2video"
    IMAGE = "img2video"
    START_END = "start-end2video"
    REFERENCE = "reference2video"
    # Experiments: known from client code alone, offered only where a key's setting turns them on.
    UPSCALE = "upscale"
    EXTEND = "extend"
    TEMPLATE = "template"


MODES = (Mode.TEXT, Mode.IMAGE, Mode.START_END, Mode.REFERENCE)
EXPERIMENTS = (Mode.UPSCALE, Mode.EXTEND, Mode.TEMPLATE)


class ImageTransport(StrEnum):
    """How a vendor gets our pictures."""

    INLINE = "inline"  # as base64 in the request
    URL = "url"  # by an address of ours that it fetches


class RemoteState(StrEnum):
    """What a vendor says of a task, in our five words."""

    QUEUED = "queued"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({RemoteState.SUCCEEDED, RemoteState.FAILED, RemoteState.CANCELLED})


class FailureClass(StrEnum):
    """Why something did not work, and therefore what may be done about it."""

    USER_INPUT = "user_input"  # the same request fails again; the person changes it
    CONTENT_POLICY = "content_policy"  # refused prompt, picture or result
    ACCOUNT_AUTH = "account_auth"  # wrong, revoked or forbidden key
    ACCOUNT_CREDITS = "account_credits"  # nothing left to pay with
    ACCOUNT_LIMIT = "account_limit"  # concurrency limit of the account
    THROTTLED = "throttled"  # asked too often
    PROVIDER_TRANSIENT = "provider_transient"  # passes by itself
    PROVIDER_PERMANENT = "provider_permanent"  # model gone, wrong path
    PROVIDER_UNKNOWN = "provider_unknown"  # no name, or a name not in any document
    NOT_FOUND = "not_found"
    AMBIGUOUS_SUBMIT = "ambiguous_submit"  # a create whose outcome is unknown: never sent again by itself


class Unit(StrEnum):
    CREDIT = "credit"
    TOKEN = "token"  # noqa: S105  # a word for an amount, not a secret
    USD = "usd"
    CNY = "cny"


class CallKind(StrEnum):
    CREATE = "create"
    QUERY = "query"
    LIST = "list"
    CANCEL = "cancel"
    BALANCE = "balance"
    MEDIA = "media"


@dataclass(frozen=True, slots=True)
class Money:
    """An amount with its unit; amounts of unlike units are never added."""

    amount: Decimal
    unit: Unit


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure in our words (``cls``), the vendor's own name for it (``code``) and its text, unredacted."""

    cls: FailureClass
    code: str = ""
    text: str = ""
    trace_id: str = ""
    retry_after: float | None = None  # seconds


class ProviderError(Exception):
    seconds = 0.0  # until a call was given up that brought no answer

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.cls}: {failure.code} {failure.text}".strip())
        self.failure = failure


class NotSent(ProviderError):
    """The vendor never saw the request: nothing was created, nothing can have been charged."""


class AnswerLost(ProviderError):
    """The vendor may have seen the request. For a create this means: look it up, never resend."""


class Refused(ProviderError):
    """The vendor answered, and the answer is no."""


class BadCallback(ValueError):
    """Not from the vendor, or not from now; the text is for the log and quotes nothing that was sent."""


@dataclass(frozen=True, slots=True)
class KeySetting:
    """A detail that no document of the vendor settles, and that each key may therefore set: ours is the default.

    A bool makes a switch, ``choices`` (value, label) a list, anything else a line of text, in which every name of
    ``placeholders`` must stand in braces. A ``secret`` is stored encrypted. Label and help are marked for
    translation.
    """

    name: str
    label: str
    default: str | bool
    help: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    placeholders: tuple[str, ...] = ()
    secret: bool = False

    def takes(self, value: object) -> bool:
        """Whether this can be its value."""
        if type(value) is not type(self.default):
            return False
        named = all(f"{{{name}}}" in str(value) for name in self.placeholders)
        return named and (not self.choices or value in dict(self.choices))


IMAGES_SETTING = KeySetting(
    "images",
    gettext_noop("Pictures are sent"),
    ImageTransport.INLINE.value,
    gettext_noop("By an address needs VIDEOFORGE_PUBLIC_URL, and nothing is then too large for one request."),
    (
        (ImageTransport.INLINE.value, gettext_noop("inside the request")),
        (ImageTransport.URL.value, gettext_noop("by an address that the vendor fetches")),
    ),
)


@dataclass(frozen=True, slots=True)
class Account:
    """What a call needs to know of a key. ``options`` holds those of the vendor's settings that differ."""

    base_url: str
    secret: str = field(repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Order:
    """One video to be made, in our vocabulary. Durations are whole seconds; ``images`` are data or http(s) URLs.

    ``source_id`` and ``source_url`` name the clip that an upscale or extend starts from: the vendor's own id of
    it, and its address at the vendor, which may have died.
    """

    mode: Mode
    model: str  # the vendor's own id, as on the wire
    prompt: str
    token: str  # ours, passed through by vendors that can; starts with "vf1."
    duration: int
    resolution: str
    aspect_ratio: str | None = None
    images: tuple[str, ...] = ()
    seed: int | None = None
    audio: bool | None = None
    off_peak: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)  # bgm, style, movement_amplitude, watermark, ...
    callback_url: str | None = None
    source_id: str = ""
    source_url: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A request described as a value. ``url`` is absolute and without query; ``query`` keeps order and repeats."""

    kind: CallKind
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP, whatever it is. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    seconds: float = 0.0  # from the request to the last byte

    def json(self) -> Any:
        """The decoded body, or None when it is not JSON (HTML pages, cut answers, empty bodies)."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None

    @property
    def retry_after(self) -> float | None:
        """Seconds, at most a day. The date form needs a clock: ``transport``, which has one, makes seconds of it."""
        try:
            seconds = float(self.headers.get("retry-after", ""))
        except ValueError:
            return None
        return min(seconds, 24 * 3600.0) if math.isfinite(seconds) and seconds >= 0 else None


NEVER_SENT = frozenset({"connect_error", "connect_timeout", "tls_error", "proxy_error", "pool_timeout"})


def transport_failure(name: str, kind: CallKind) -> ProviderError:
    """The error for a call that brought no answer; ``name`` is the transport's word (``read_timeout``).

    A word not listed in ``NEVER_SENT`` counts as "may have arrived".
    """
    if name in NEVER_SENT:
        return NotSent(Failure(FailureClass.PROVIDER_TRANSIENT, code=name))
    lost = FailureClass.AMBIGUOUS_SUBMIT if kind is CallKind.CREATE else FailureClass.PROVIDER_TRANSIENT
    return AnswerLost(Failure(lost, code=name))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a create answered: the task exists at the vendor. ``quote`` is what the vendor says it will cost."""

    remote_id: str
    state: RemoteState
    quote: Money | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """One finished video at the vendor. Links expire; None means the vendor's words apply (24 h assumed).

    ``watermarked`` marks the second version of a clip that was ordered with a watermark.
    """

    position: int
    url: str
    remote_id: str = ""
    cover_url: str = ""
    expires_at: datetime | None = None
    cover_expires_at: datetime | None = None
    watermarked: bool = False


@dataclass(frozen=True, slots=True)
class Echo:
    """What a list row repeats of its order, to tell whose it is; "" and None where the vendor is silent.

    ``quote`` is the amount beside a task in any state: only ``Snapshot.charge`` may be settled.
    """

    kind: str = ""
    model: str = ""
    prompt: str = ""
    duration: int | None = None
    resolution: str = ""
    aspect_ratio: str = ""
    key_id: str = ""
    created_at: datetime | None = None
    quote: Money | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the vendor says of a task at one moment, by query, list row or callback.

    ``charge`` is None when the vendor said nothing. ``complete`` is False where the source leaves out what an
    end needs (Vidu's list has no failure reason): ask once more before believing a failure. ``anomaly`` is a
    sentence for admins, "" when all is as documented.
    """

    remote_id: str
    state: RemoteState
    raw_state: str
    progress: int | None = None  # percent
    charge: Money | None = None
    failure: Failure | None = None
    outputs: tuple[Output, ...] = ()
    payload: str | None = None
    complete: bool = True
    anomaly: str = ""
    echo: Echo | None = None


@dataclass(frozen=True, slots=True)
class ListPage:
    rows: tuple[Snapshot, ...]
    next_token: str  # "" at the end
    unread: int = 0  # rows without a usable id: while there are any, "not in the list" proves nothing


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has left; None where the vendor does not say."""

    remaining: Money | None
    concurrency_limit: int | None = None
    running: int | None = None
    queued: int | None = None
    ends: "Ending | None" = None  # the first part of it that can no longer be used from some moment on


@dataclass(frozen=True, slots=True)
class Ending:
    """What is lost of a balance at a moment, unless it is used before."""

    amount: Decimal
    at: datetime


class Provider(ABC):
    """One vendor. Subclasses are pure translation: no state, no I/O."""

    slug: str
    name: str
    base_urls: tuple[str, ...]  # the first is the default
    unit: Unit  # what the vendor charges in
    offers: "tuple[Offer, ...]" = ()  # the rows of its catalogue
    experiments: "tuple[Offer, ...]" = ()  # sold only with keys whose setting of that name is on
    rates: "Mapping[str, Rate]" = MappingProxyType({})  # what a unit is worth, by base address; "" for all others
    settings: tuple[KeySetting, ...] = ()
    sends: frozenset[str] = frozenset({"audio", "bgm", "off_peak"})  # switches it has fields for, in some model
    can_list = False
    can_cancel = False
    carries_token = False  # passes our token through, so that a lost create can be told from others
    calls_back = False  # tells us of changes at an address that we name in the create
    reports_balance = False  # ``read_test`` brings figures, worth asking for now and then
    images = ImageTransport.INLINE
    max_body_bytes = 20 * 1024 * 1024
    poll_every = 5.0  # seconds between looks at a task that runs, while nothing is known of how long it takes
    usual_run = (10.0, 60.0, 300.0)  # seconds: quick, usual and slow tasks, until our own have taught better
    reads_at_once = 50
    reads_per_second = 150.0
    poll_floor = 0.0  # seconds: never ask about one task more often, the first time included
    link_lifetime = 24 * 3600  # seconds, where a link does not say
    auth_scheme = "Bearer"  # the word before the secret

    def call(
        self,
        account: Account,
        kind: CallKind,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Mapping[str, Any] | None = None,
        method: str = "",
    ) -> Call:
        """A signed request: unless told otherwise POST where there is a JSON body, GET where there is none."""
        headers = {"Authorization": f"{self.auth_scheme} {account.secret}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        method = method or ("GET" if body is None else "POST")
        return Call(kind, method, account.base_url.rstrip("/") + path, headers, tuple(query), body)

    def setting(self, account: Account, name: str) -> Any:
        """The key's own value of one of ``settings``; the default for none and for one that cannot be."""
        known = {each.name: each for each in self.settings}[name]
        value = account.options.get(name, known.default)
        return value if known.takes(value) else known.default

    def path(self, account: Account, name: str, **filled: str) -> str:
        """One of ``settings`` that is a path below the base address, with its placeholders filled in."""
        path = "/" + str(self.setting(account, name)).strip().lstrip("/")
        for placeholder, value in filled.items():
            path = path.replace(f"{{{placeholder}}}", quote(value, safe=""))
        return path

    def image_transport(self, options: Mapping[str, Any]) -> ImageTransport:
        """How a key with these options sends pictures."""
        wanted = options.get("images", "") if IMAGES_SETTING in self.settings else ""
        return ImageTransport(wanted) if wanted in set(ImageTransport) else self.images

    @abstractmethod
    def build_create(self, account: Account, order: Order) -> Call: ...

    @abstractmethod
    def read_receipt(self, answer: Answer) -> Receipt:
        """Raise Refused, or AnswerLost where a task may exist after all (5xx, 409, 499, 2xx without an id)."""

    @abstractmethod
    def build_query(self, account: Account, remote_id: str, model: str) -> Call: ...

    @abstractmethod
    def read_snapshot(self, answer: Answer) -> Snapshot:
        """Raise Refused for every answer that says nothing of the task (HTML, 404, 429, 5xx, cut JSON)."""

    @abstractmethod
    def build_test(self, account: Account) -> Call:
        """A call that costs nothing and shows whether the key is good."""

    @abstractmethod
    def read_test(self, answer: Answer) -> Balance:
        """Raise Refused when the key is not good."""

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
        """No ``ids`` and no ``states`` means all: the only way to see tasks in a state no document names."""
        raise NotImplementedError(f"{self.name} has no list")

    def read_list(self, answer: Answer) -> ListPage:
        raise NotImplementedError(f"{self.name} has no list")

    def build_cancel(self, account: Account, remote_id: str) -> Call:
        raise NotImplementedError(f"{self.name} cannot cancel")

    def read_cancel(self, answer: Answer) -> None:
        """Return when the vendor accepted; raise Refused with its words otherwise."""
        raise NotImplementedError(f"{self.name} cannot cancel")

    def check_callback(
        self, account: Account, *, method: str, url: str, headers: Mapping[str, str], now: datetime
    ) -> str:
        """The nonce of a callback that is genuine, to be taken once. ``url`` as we named it. Raises BadCallback."""
        raise NotImplementedError(f"{self.name} does not call back")

    def read_callback(self, body: bytes) -> tuple[str, RemoteState | None]:
        """What a callback says of its task: the vendor's word and ours for it. Nobody signed that: a hint at most."""
        raise NotImplementedError(f"{self.name} does not call back")
