"""No create body of any vendor breaks the check that reads it."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generations.sandbox import dataeyes, uniall_fields, vtrix_fields, xingchao
from generations.sandbox.fields import Ask, BadField, check_fields, flag

from .test_vidu_fields import json_values

A = "https://a.example/1.png"
Read = Callable[[object], Ask]


def _in_an_envelope(params: object) -> Ask:
    return vtrix_fields.read_ask({"model": "viduq2_pro_reference", "input": [{"params": params}]})


READERS: dict[str, tuple[Read, dict[str, Any], list[str]]] = {
    "dataeyes": (
        partial(dataeyes.read_tiered, "reference2video"),
        {"model": "viduq2-pro-720p-5s", "prompt": "x", "images": [A]},
        ["model", "prompt", "images", "duration", "resolution", "subjects", "seed", "payload"],
    ),
    "uniall": (
        uniall_fields.read_ask,
        {"model": "viduq3p-720p", "prompt": "x", "duration": 5},
        [*uniall_fields.FIELDS],
    ),
    "xingchao": (xingchao.read_ask, {"model": "viduq3-pro", "prompt": "x"}, [*xingchao.FIELDS]),
    "vtrix": (vtrix_fields.read_ask, {"model": "viduq3_i2v_reference", "input": []}, ["model", "input"]),
    "vtrix params": (
        _in_an_envelope,
        {"prompt": "x", "images": [A]},
        [*vtrix_fields.COMMON, *vtrix_fields.MODELS["viduq2_pro_reference"].extra],
    ),
}


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
def test_no_body_breaks_the_check(name: str, data: st.DataObject) -> None:
    read, good, fields = READERS[name]
    body = good | data.draw(st.dictionaries(st.sampled_from(fields), json_values, max_size=4))
    for value in (body, data.draw(json_values)):
        with contextlib.suppress(BadField):
            assert isinstance(read(value), Ask)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"b": True, "x": 1}, "unwanted field: in.x"),
        ({"a": True}, "field is missing or empty: in.b"),
        ({"a": 1, "b": True}, "invalid field: in.a"),
        ({"a": 1, "b": None, "x": 1}, "unwanted field: in.x"),
    ],
)
def test_the_first_fault_is_told(body: dict[str, Any], expected: str) -> None:
    with pytest.raises(BadField) as caught:
        check_fields({"a": flag, "b": flag}, ("b",), body, "in.")
    assert caught.value.message == expected
