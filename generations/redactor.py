"""Takes secrets out of text before it is kept, shown or logged. Knows nothing of the app.

What is given as a secret goes in every spelling in which a vendor may quote it: as it is, escaped for JSON, a URL or
HTML, in hexadecimal, and in base64 at any place. What is not given goes by its look: what stands behind words such
as ``Authorization`` or ``api_key``, the query of addresses, addresses of ours that open something, and long strings
that no person reads.

Whoever sends the text may mean harm: every repetition below has a bound where it could be tried from many places.
"""

import base64
import html
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

MARK = "[…]"
SHORTEST_SECRET = 4  # a shorter one would tear words apart all over the text; no vendor's key is as short
# So much of a long answer is looked at. What the cut may have torn apart goes with the tail.
WINDOW, TORN = 16 * 1024, 512

# Control and format characters, and halves of surrogate pairs: no database or page has a place for them.
_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    "\ufff0-\uffff\U000e0000-\U000e007f]"
)
_ESCAPE = re.compile(r"[\\%&+]")
_SLASH = r"(?:\\{0,8}/|%(?:25){0,3}2F)"  # plain, escaped for JSON, or quoted
_QUOTE = r"""(?:\\{0,8}["']|&quot;|&#\d{2};|%22)"""
_BARE = r"""(?!\[…)[^\s"'<>,;&()\]}\\]+"""  # a value without quotes
_SCHEME = r"(?:(?:bearer|token|basic)\s+)?"
_NAMES = (
    r"(?<![a-z0-9])(?:(?:proxy-)?authorization|bearer|basic|(?:access|auth|csrf|id|refresh|security|session)?[-_]?token"
    r"|(?:x-)?(?:api|access|private|secret)[-_ ]?key(?:[-_ ]?id)?|(?:client[-_]?|callback[-_]?)?secret"
    r"|pass(?:word|wd|phrase)|session[-_]?id|(?:x-hmac-)?signature|credentials?)"
)
_KEYS = ("token", "api", "access", "private", "secret")
_TELLING = (*_KEYS, "auth", "bearer", "basic", "pass", "session", "signature", "credential")
_SIGNING = r"x-amz-[a-z-]{1,40}|signature|sig|sign|auth_key|access_token|token|ossaccesskeyid|key-pair-id|policy"

# What must stand in the text for a rule to be worth trying (in small letters), the rule, and what it leaves.
_RULES: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = tuple(
    (needles, re.compile(pattern, re.IGNORECASE), kept)
    for needles, pattern, kept in (
        # A picture, or anything else, inside the text.
        (("base64",), r"(data(?::|%3A)[\w.+/%-]{0,60}(?:;|%3B)base64(?:,|%2C))[\w+/=%\\-]+", rf"\1{MARK}"),
        # Addresses: who asks (user:password@), and what is asked, which may be signed.
        (("@",), rf"(https?:{_SLASH}{{2}})[^\s\"'<>/@\\?#]{{1,500}}@", rf"\1{MARK}@"),
        (("http",), rf"(https?:{_SLASH}{{2}}[^\s\"'<>?#]{{0,2000}})[?#][^\s\"'<>]+", rf"\1?{MARK}"),
        (("%3a",), r"(https?%3A%2F%2F(?:(?!%3F|%23)[^\s\"'<>&]){0,2000})(?:%3F|%23)[^\s\"'<>&]+", rf"\1?{MARK}"),
        (("=",), rf"(?<![a-z0-9])({_SIGNING})=(?!\[…)[^\s\"'<>&]+", rf"\1={MARK}"),
        # Those of ours that open something for whoever has them.
        (
            ("callbacks",),
            rf"({_SLASH}callbacks{_SLASH}[\w-]{{1,60}}{_SLASH})(?:(?!{_SLASH})[^\s\"'<>?#])+",
            rf"\1{MARK}",
        ),
        (("inputs",), rf"({_SLASH}media{_SLASH}inputs{_SLASH})(?:(?!{_SLASH})[^\s\"'<>?#])+", rf"\1{MARK}"),
        # Values of telling names: a cookie's to the end of the line, a quoted one to its closing quote, else a word.
        (("cookie",), r"(?<![a-z0-9])((?:set-)?cookie2?\s*[:=]\s*)[^\r\n\"<>]+", rf"\1{MARK}"),
        (_TELLING, rf"({_NAMES}{_QUOTE}?\s*[:=]\s*)({_QUOTE})(?:(?!\2)(?:\\.|[^\r\n]))+", rf"\1\2{MARK}"),
        (_TELLING, rf"({_NAMES}{_QUOTE}?\s*[:=]\s*)[\[{{][^\[\]{{}}…]+", rf"\1{MARK}"),
        (_TELLING, rf"({_NAMES}{_QUOTE}?\s*[:=]\s*{_QUOTE}?\s*){_SCHEME}{_BARE}", rf"\1{MARK}"),
        (("bearer", "basic"), rf"(?<![a-z0-9])((?:bearer|basic)\s+){_BARE}", rf"\1{MARK}"),
        # "Incorrect API key provided: 1234", but not "token expired": a value is no short word in small letters.
        (
            _KEYS,
            r"(?<![a-z0-9])((?:token|(?:api|access|secret)[-_ ]?key)(?:\s+(?:provided|given|supplied|used|is|was)){0,2}"
            rf"(?:\s*:)?\s+{_QUOTE}?)(?!(?-i:[a-z]{{1,15}})(?:[\s.,;:!?()\"'\\]|$)){_BARE}",
            rf"\1{MARK}",
        ),
        # Known by its look: Fernet's tokens, JSON web tokens, keys of vendors and clouds, and whatever nobody reads.
        ((), r"(?-i:[A-Za-z0-9+/_=.~%-]{121,})", MARK),
        (("gaaaa",), r"gAAAA[\w=-]{20,}", MARK),
        (("sk-", "sk_", "vda", "akia", "asia"), r"(?<![a-z0-9])(?:(?:sk|vda)[-_][\w-]{8,}|A[KS]IA[a-z0-9]{12,})", MARK),
        (("eyj",), r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?", MARK),
    )
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without these secrets and without what looks like one; never raises, always valid text."""
    text = _plain(text)
    text = without(text, secrets)
    small = text.lower()
    for needles, rule, kept in _RULES:
        if not needles or any(needle in small for needle in needles):
            text = rule.sub(kept, text)
            small = text.lower()
    return text


def without(text: str, secrets: Iterable[str]) -> str:
    """The text without these secrets alone, in whatever spelling."""
    for secret in sorted({_plain(each).strip() for each in secrets}, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = _spelled(secret).sub(MARK, text) if _ESCAPE.search(text) else _as_it_is(secret).sub(MARK, text)
            text = _encoded(secret).sub(MARK, text)
    return text


def excerpt(content: bytes, secrets: Iterable[str] = (), limit: int = 600) -> str:
    """The beginning of an answer as one redacted line of at most ``limit`` characters."""
    known = [_one_line(each) for each in secrets]
    text = redact(_one_line(content[:WINDOW].decode("utf-8", "replace")), known)
    if len(content) > WINDOW:
        text = text[: -max([TORN, *(12 * len(each) for each in known)])]
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _plain(text: str) -> str:
    return _ODD.sub("", text)


def _one_line(text: str) -> str:
    return " ".join(_plain(text).split())


@lru_cache(maxsize=64)
def _as_it_is(secret: str) -> re.Pattern[str]:
    return re.compile(re.escape(secret), re.IGNORECASE)


@lru_cache(maxsize=64)
def _spelled(secret: str) -> re.Pattern[str]:
    """Each character as it is or escaped in one of the usual ways."""
    return re.compile("".join(f"(?:{'|'.join(_spellings(char))})" for char in secret), re.IGNORECASE)


@lru_cache(maxsize=64)
def _encoded(secret: str) -> re.Pattern[str]:
    plain = secret.encode().hex()
    return re.compile("|".join((plain, plain.upper(), *_in_base64(secret))))


def _spellings(char: str) -> Iterator[str]:
    yield rf"\\{{0,8}}{re.escape(char)}" if char in "\"'/" else r"\\{1,8}" if char == "\\" else re.escape(char)
    units = char.encode("utf-16-be").hex()
    yield "".join(rf"\\{{1,8}}u{units[at : at + 4]}" for at in range(0, len(units), 4))
    yield "".join(f"%(?:25){{0,3}}{byte:02x}" for byte in char.encode())
    yield f"&#0{{0,6}}{ord(char)};"
    yield f"&#x0{{0,6}}{ord(char):x};"
    if (named := html.escape(char)) != char:
        yield re.escape(named)
    if char == " ":
        yield r"\+"


def _in_base64(secret: str) -> Iterator[str]:
    """The secret inside something longer: what precedes it shifts its bits by 0, 2 or 4, and its ends are shared."""
    for before in range(3):
        plain = bytes(before) + secret.encode()
        whole = base64.b64encode(plain).decode()
        core = whole[-(-before * 8 // 6) : len(plain) * 8 // 6]
        if len(core) >= SHORTEST_SECRET:
            spelled = core.replace("+", "(?:[+-]|%2B)").replace("/", r"(?:\\{0,8}/|_|%2F)")
            yield rf"{spelled}[\w+/=-]{{0,4}}"
