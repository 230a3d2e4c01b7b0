"""Callbacks of Vidu: the documented signature, and everything that is not one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generations.providers.vidu_callback import BadCallback, check, signing_string

from .contract import load

VECTORS = load("vidu")["callbacks"]
GOOD = VECTORS[0]
THEN = datetime(2025, 5, 6, 12, 9, 42, tzinfo=UTC)
SIGNED = [name for name in GOOD["headers"] if name != "Content-Type"]
NONCE = "123e4567-e89b-12d3-a456-426614174000"


def checked(vector: dict[str, Any], now: datetime = THEN, **changes: Any) -> str:
    asked = {**vector, **changes}
    return check(asked["method"], asked["callback_url"], asked["headers"], asked["secret"], now)


@pytest.mark.parametrize("vector", VECTORS, ids=[each["id"] for each in VECTORS])
def test_documented_signatures(vector: dict[str, Any]) -> None:
    head = {name.lower(): value for name, value in vector["headers"].items()}
    assert signing_string(vector["method"], vector["callback_url"], head) == vector["signing_string"]
    if vector["expect"]["valid"]:
        assert checked(vector) == NONCE
    else:
        with pytest.raises(BadCallback):
            checked(vector)


def test_names_of_headers_may_be_spelled_as_servers_do() -> None:
    assert checked(GOOD, headers={name.upper(): value for name, value in GOOD["headers"].items()}) == NONCE


@pytest.mark.parametrize(
    "late", [timedelta(minutes=5, seconds=1), timedelta(minutes=-5, seconds=-1), timedelta(days=1)]
)
def test_five_minutes_either_way(late: timedelta) -> None:
    assert checked(GOOD, THEN + timedelta(minutes=5)) == NONCE
    with pytest.raises(BadCallback, match="late"):
        checked(GOOD, THEN + late)


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "another-token"},
        {"method": "GET"},
        {"callback_url": "https://videoforge.example/vidu/callback?age=36&name=james"},
        {"callback_url": "https://videoforge.example/vidu/callback"},
        {"headers": {}},
        *({"headers": {**GOOD["headers"], name: "x"}} for name in SIGNED),
        *({"headers": {n: v for n, v in GOOD["headers"].items() if n != name}} for name in SIGNED),
    ],
)
def test_whatever_is_changed_is_noticed(changes: dict[str, Any]) -> None:
    with pytest.raises(BadCallback):
        checked(GOOD, **changes)


@given(st.dictionaries(st.sampled_from([*GOOD["headers"]]), st.text(max_size=40)), st.text(max_size=60))
def test_garbage_is_refused_and_nothing_worse(headers: dict[str, str], url: str) -> None:
    try:
        url.encode()
    except UnicodeEncodeError:
        url = ""
    with pytest.raises(BadCallback):
        check("POST", "https://videoforge.example/" + url.replace("[", ""), headers, "vf-test-token", THEN)
