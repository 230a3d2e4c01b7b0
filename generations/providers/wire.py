"""Reading what vendors send, tolerantly: ids as numbers, amounts as text, one object where a list was promised.

And telling, from status and error name alone, what an answer that is not the hoped-for one means (``refusal``).
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError

from .base import Answer, AnswerLost, CallKind, Failure, FailureClass, ProviderError, Refused

MAX_TEXT = 20_000
MAX_WORD = 100
MAX_AMOUNT = Decimal(1_000_000)  # no single clip costs as much; more is a slip of the vendor
MAX_WHOLE = Decimal(2**63 - 1)
MAX_LINK_SECONDS = 7 * 24 * 3600  # the longest life of a link that is signed for so many seconds
SIGNED_FOR = ("x-amz-", "x-oss-", "x-tos-", "x-goog-")  # AWS, Alibaba, Volcengine, Google: a date and seconds
SANE = (1_577_836_800, 4_102_444_800)  # Unix time, 2020 to 2100: milliseconds and mere counts are no deadlines

# NUL and lone surrogates pass through JSON, but neither PostgreSQL nor UTF-8 takes them.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

# What a 4xx means when the vendor says so in its own words, and when the body is some proxy's page or nothing.
_VENDOR_SPEAKS = {
    400: FailureClass.USER_INPUT,
    401: FailureClass.ACCOUNT_AUTH,
    402: FailureClass.ACCOUNT_CREDITS,
    403: FailureClass.ACCOUNT_AUTH,
    404: FailureClass.NOT_FOUND,
    405: FailureClass.PROVIDER_PERMANENT,
    408: FailureClass.AMBIGUOUS_SUBMIT,
    409: FailureClass.AMBIGUOUS_SUBMIT,
    413: FailureClass.USER_INPUT,
    422: FailureClass.USER_INPUT,
    429: FailureClass.THROTTLED,
    499: FailureClass.AMBIGUOUS_SUBMIT,
}
_OTHERS_SPEAK = {  # a firewall's 403 must not disable a key, a wrong path's 404 must not lose a task
    401: FailureClass.ACCOUNT_AUTH,
    404: FailureClass.PROVIDER_PERMANENT,
    405: FailureClass.PROVIDER_PERMANENT,
    408: FailureClass.AMBIGUOUS_SUBMIT,
    409: FailureClass.AMBIGUOUS_SUBMIT,
    413: FailureClass.USER_INPUT,
    429: FailureClass.THROTTLED,
    499: FailureClass.AMBIGUOUS_SUBMIT,
}
_BELIEVED_ON_READS = frozenset({FailureClass.ACCOUNT_AUTH, FailureClass.THROTTLED})


_NEVER_SURE = (408, 409, 499)  # whatever the text says, the request may have arrived and made something


def clean(value: object) -> str:
    """Text that can be stored, at most ``MAX_TEXT`` characters; "" for anything that is not text."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value[:MAX_TEXT]) if isinstance(value, str) else ""


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def word(value: object) -> str:
    """A name that fits a short column: reasons, states, ids of no importance."""
    return clean(_as_text(value))[:MAX_WORD]


def amount(value: object, limit: Decimal = MAX_AMOUNT) -> Decimal | None:
    """A number that may stand as number or text (``55``, ``55.0``, ``"55.0"``); None when it is none or absurd."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value)[:40])
    except (InvalidOperation, ValueError):
        return None
    if not number.is_finite() or not 0 <= number <= limit:
        return None
    return number.quantize(Decimal(1)) + 0 if number == number.to_integral_value() else number  # + 0 turns -0 into 0


def whole(value: object) -> int | None:
    """A count or a seed, 0 to 2**63 - 1 (what a database column holds); fractions are cut off."""
    number = amount(value, MAX_WHOLE)
    return None if number is None else int(number)


def percent(value: object) -> int | None:
    """0 to 100 as a whole number, from a number or from text like ``"50%"``; None for everything else."""
    number = whole(value.removesuffix("%") if isinstance(value, str) else value)
    return number if number is not None and number <= 100 else None


def link(value: object) -> str:
    """An http or https address, or ""."""
    text = clean(value)
    return text if text == value and text.startswith(("https://", "http://")) else ""


def moment(value: object) -> datetime | None:
    """RFC 3339 with a zone, or None."""
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else None
        return when.astimezone(UTC) if when and when.tzinfo else None
    except (ValueError, OverflowError):
        return None


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def objects(value: object) -> list[Any]:
    """A list of objects from a list, a lone object or null. What is no object becomes ``{}``, to keep positions."""
    items = value if isinstance(value, list) else [value] if isinstance(value, Mapping) else []
    return [mapping(item) for item in items]


Id = Annotated[str, BeforeValidator(_as_text), StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,120}$")]
Word = Annotated[str, BeforeValidator(word)]
Text = Annotated[str, BeforeValidator(clean)]
Link = Annotated[str, BeforeValidator(link)]
Percent = Annotated[int | None, BeforeValidator(percent)]
Whole = Annotated[int | None, BeforeValidator(whole)]
Mapped = Annotated[Mapping[str, Any], BeforeValidator(mapping)]
Moment = Annotated[datetime | None, BeforeValidator(moment)]


class Wire(BaseModel):
    """Base of everything read: unknown fields are skipped, because vendors add some without notice."""

    model_config = ConfigDict(extra="ignore", frozen=True)


Shape = TypeVar("Shape", bound=Wire)


def read(shape: type[Shape], value: object) -> Shape | None:
    """The value in that shape, or None where it does not fit."""
    try:
        return shape.model_validate(value)
    except ValidationError:
        return None


def read_ok(shape: type[Shape], answer: Answer, unwrap: Callable[[Any], object] = lambda body: body) -> Shape | None:
    """A 2xx JSON body in that shape, or None. ``unwrap`` takes what is meant out of an envelope."""
    return read(shape, unwrap(answer.json())) if 200 <= answer.status < 300 else None


def link_deadline(url: str) -> datetime | None:
    """When a signed link dies, the earliest that its query tells; None where it tells nothing, or nonsense.

    Signatures of AWS, OSS, TOS and GCS name a date and seconds, older ones and CloudFront ``Expires`` in Unix time,
    COS ``q-sign-time=begin;end``.
    """
    try:
        query = {name.lower(): values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    except ValueError:
        return None
    told = [_signed_until(query.get(f"{by}date", ""), query.get(f"{by}expires")) for by in SIGNED_FOR]
    told += [whole(query.get("expires")), whole(query.get("q-sign-time", "").partition(";")[2])]
    sane = [end for end in told if end is not None and SANE[0] <= end < SANE[1]]
    return datetime.fromtimestamp(min(sane), UTC) if sane else None


def _signed_until(date: str, lifetime: object) -> int | None:
    """In Unix time."""
    try:
        signed = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    seconds = whole(lifetime) or 0
    return int(signed.timestamp()) + seconds if 0 < seconds <= MAX_LINK_SECONDS else None


def refusal(
    answer: Answer,
    kind: CallKind,
    named: FailureClass | None = None,
    *,
    code: str = "",
    text: str = "",
    trace_id: str = "",
) -> ProviderError:
    """The error for an answer that is not the one hoped for: AnswerLost for an ambiguous create, else Refused.

    ``named`` is the class of the vendor's own error name where that name (``code``) is documented. A name decides
    over the status, except that only a 4xx proves that nothing was created.
    """
    cls = _class_of(answer, kind, named, unknown_name=bool(code))
    failure = Failure(cls, code or f"http_{answer.status}", text, trace_id, answer.retry_after)
    return AnswerLost(failure) if cls is FailureClass.AMBIGUOUS_SUBMIT else Refused(failure)


def _class_of(answer: Answer, kind: CallKind, named: FailureClass | None, *, unknown_name: bool) -> FailureClass:
    spoken = isinstance(answer.json(), dict)
    if not 400 <= answer.status < 500 or answer.status in _NEVER_SURE:
        cls = FailureClass.AMBIGUOUS_SUBMIT
    elif named:
        cls = named
    else:
        cls = (_VENDOR_SPEAKS if spoken else _OTHERS_SPEAK).get(answer.status, FailureClass.PROVIDER_UNKNOWN)
        if unknown_name and cls is FailureClass.USER_INPUT:
            cls = FailureClass.PROVIDER_UNKNOWN
    if kind is CallKind.CREATE:
        return cls
    passes = cls is FailureClass.AMBIGUOUS_SUBMIT or (not spoken and cls not in _BELIEVED_ON_READS)
    return FailureClass.PROVIDER_TRANSIENT if passes else cls
