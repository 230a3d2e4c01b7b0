"""A secret never survives, whatever it looks like and however it is quoted; plain words do."""

import base64
import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from generations.redactor import MARK, WINDOW, excerpt, redact, without

# Any printable text can be somebody's secret; the mark itself and what is removed as no text are left out.
ODD = st.characters(
    codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"), exclude_characters="[…]"
)
SECRETS = st.text(ODD, min_size=8, max_size=48) | st.text("abcXYZ019+/_-.=", min_size=8, max_size=60)
AROUND = st.text(max_size=60)

SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": json.dumps,
    "json, in its own script": lambda text: json.dumps(text, ensure_ascii=False),
    "json in json": lambda text: json.dumps(json.dumps(text)),
    "json of other servers": lambda text: json.dumps(text).replace("/", "\\/"),
    "url": lambda text: quote(text, safe=""),
    "url, small": lambda text: quote(text, safe="").lower() if text.isascii() else quote(text, safe=""),
    "form": quote_plus,
    "url in url": lambda text: quote(quote(text, safe=""), safe=""),
    "html": html.escape,
    "html by number": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "html by number of sixteen": lambda text: "".join(f"&#x{ord(char):04X};" for char in text),
    "hex": lambda text: text.encode().hex(),
    "utf-16": lambda text: text.encode("utf-16-le").decode("latin-1") if text.isascii() else text,
    **{
        f"base64 behind {before!r}": lambda text, before=before: base64.b64encode((before + text).encode()).decode()
        for before in ("", "k", "ab", "Bearer ", "user:")
    },
    "base64 for urls": lambda text: base64.urlsafe_b64encode(f"Token {text}\n".encode()).decode(),
}


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
@given(secret=SECRETS, before=AROUND, after=AROUND)
@example(secret='a"b\\c/d&e<f%g', before="", after="")
@example(secret="pass=word+", before="?x=", after="&y")
def test_no_spelling_of_a_secret_survives(spelled: Callable[[str], str], secret: str, before: str, after: str) -> None:
    written = spelled(secret)
    text = f"{before} {written} {after}"
    if written.strip('"\\') in f"{before} {after}":
        return  # it stood there by chance, torn apart by nothing of ours
    for kept in (
        redact(text, [secret]),
        without(text.replace("\0", ""), [secret]),
        excerpt(text.encode("utf-8", "replace"), [secret]),
    ):
        assert secret not in kept
        assert written not in kept
        assert MARK in kept or "…" in kept


CANARY = "Qv7-canary.9/x+Z=="
QUOTED = json.dumps(CANARY)


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {CANARY}",
        f"authorization: Token {CANARY}",
        f"Authorization: {CANARY}",
        f"Proxy-Authorization=Basic {CANARY}",
        f'{{"Authorization": "Token {CANARY}"}}',
        json.dumps(json.dumps({"Authorization": f"Token {CANARY}"})),
        f"curl -H 'Authorization: Bearer {CANARY}'",
        f"Bearer {CANARY} is not valid",
        f"Incorrect API key provided: {CANARY}.",
        f"invalid token {CANARY}",
        f"The api_key is {CANARY}",
        f'{{"api_key":{QUOTED}}}',
        f'{{"apiKey" : {QUOTED}}}',
        f'{{"x-api-key":["{CANARY}"]}}',
        f'{{"credentials":{{"key":"{CANARY}","b":1}}}}',
        f"access_token={CANARY}&x=1",
        f"Cookie: a=b; sessionid={CANARY}; c=d",
        f"Set-Cookie: sessionid={CANARY}; HttpOnly",
        f'X-HMAC-SIGNATURE: {CANARY}',
        f"password={CANARY}",
        f"https://someone:{CANARY.replace('/', '')}@vendor.example/v1",
        f"https://cdn.example/v.mp4?X-Amz-Expires=1&X-Amz-Signature={CANARY}",
        f"https:\\/\\/cdn.example\\/v.mp4?sig={CANARY}",
        json.dumps({"url": f"https://cdn.example/v.mp4?sig={CANARY}"}),
        f"HTTPS://CDN.EXAMPLE/V.MP4?{CANARY}",
        f"https://cdn.example/v.mp4#{CANARY}",
        quote(f"https://cdn.example/v.mp4?sig={CANARY}", safe=""),
        f"v.mp4?x=1&Signature={CANARY}",
        f"https://house.example/callbacks/vidu/{CANARY.replace('/', '')}/",
        f"/callbacks/vidu/{CANARY.replace('/', '')}/ not found",
        f"https:\\/\\/house.example\\/callbacks\\/vidu\\/{CANARY.replace('/', '')}\\/",
        quote(f"https://house.example/callbacks/vidu/{CANARY.replace('/', '')}/", safe=""),
        f"https://house.example/media/inputs/{CANARY.replace('/', '')}:1a:b/picture.jpg",
        f"data:image/png;base64,{base64.b64encode(CANARY.encode()).decode()}",
        f"gAAAAA{'Qv7-canary_9' * 8}==",
        f"{'Qv7-canary.9' * 12}",
        f"sk-Qv7-canary.9{'x' * 8}",
        "eyJhbGciOiJub25lIn0.Qv7-canary_9xxxxxx.sig",
    ],
)  # fmt: skip
def test_a_secret_that_nobody_named_goes_by_where_it_stands(text: str) -> None:
    for kept in (redact(text), excerpt(text.encode())):
        assert "canary" not in kept
        assert base64.b64encode(CANARY.encode()).decode() not in kept
        assert MARK in kept


@pytest.mark.parametrize(
    "text",
    [
        '{"id":"915200000000000001","state":"failed","err_code":"CreationPolicyViolation","credits":55}',
        '{"usage":{"total_tokens":12,"tokens":5},"payload":"vf1.0199b2c4.5f2e"}',
        "token expired at noon, ask again",
        "The api key is wrong.",
        "Token verification failed",
        "https://cdn.example/2026/07/v.mp4",
        "一只纸船漂过水坑，镜头缓慢推进。" * 20,
        "line one\nline two\tend",
        "\\",
        "",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert redact(text) == text


@given(st.text(max_size=300), st.lists(st.text(max_size=30), max_size=3))
def test_any_text_gives_valid_text_and_twice_is_once(text: str, secrets: list[str]) -> None:
    once = redact(text, secrets)
    once.encode()
    assert not any(ord(char) < 32 and char not in "\n\t" for char in once)
    assert redact(redact(text)) == redact(text)


@given(st.binary(max_size=2000), st.integers(min_value=1, max_value=900))
def test_any_bytes_give_one_short_line(content: bytes, limit: int) -> None:
    kept = excerpt(content, [CANARY], limit)
    kept.encode()
    assert len(kept) <= limit
    assert "\n" not in kept


@pytest.mark.parametrize("at", range(WINDOW - 60, WINDOW + 4))
def test_a_cut_leaves_no_half_of_a_secret(at: int) -> None:
    content = b" " * 10 + b"x y " * (at // 4) + CANARY.encode() + b" more"
    assert "Qv7" not in excerpt(content, [CANARY], 10**6)


def test_the_end_of_an_excerpt_says_that_there_is_more() -> None:
    assert excerpt(b"a b " * 500, limit=20) == "a b a b a b a b a b…"
    assert excerpt(b"short") == "short"


def test_a_short_secret_does_not_tear_words_apart() -> None:
    assert redact("abc def", ["b", "", "  "]) == "abc def"


@pytest.mark.parametrize(
    "evil",
    [
        "\\",
        "http://",
        "eyJ",
        "token: ",
        '"token":"',
        "%25",
        "&#00",
        "a",
        " ",
        "https%3A%2F%2F",
        "/callbacks/a",
        "key is ",
    ],
)
def test_text_made_to_be_slow_is_not(evil: str) -> None:
    began = time.process_time()
    excerpt((evil * WINDOW).encode()[: 8 * WINDOW], [CANARY])
    assert time.process_time() - began < 3, "a repetition without a bound takes minutes"
