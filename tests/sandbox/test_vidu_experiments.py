"""Upscale, extend and templates, with the fields that clients send."""

from typing import Any

import pytest

from .conftest import Customer
from .pictures import data_url
from .test_vidu import reason

pytestmark = pytest.mark.route


@pytest.fixture
def made(customer: Customer) -> dict[str, Any]:
    """A finished clip of 4 s."""
    task = customer.finished(customer.made(duration=4, resolution="540p"))
    creation: dict[str, Any] = task["creations"][0]
    return creation


def test_an_upscale_is_a_task_like_any_other(customer: Customer, made: dict[str, Any]) -> None:
    asked = {"video_creation_id": made["id"], "upscale_resolution": "1080p", "payload": "vf1.x"}
    answer = customer.http.post("/ent/v2/upscale-new", json=asked)
    assert answer.status_code == 200, answer.text
    done = customer.finished(answer.json()["task_id"])
    assert done["state"] == "success"
    assert (done["payload"], done["credits"]) == ("vf1.x", 20)


def test_an_extension_is_longer_than_its_source(customer: Customer, made: dict[str, Any]) -> None:
    asked = {"video_creation_id": made["id"], "model": "viduq2-turbo", "duration": 2, "resolution": "540p"}
    answer = customer.http.post("/ent/v2/extend", json=asked)
    done = customer.finished(answer.json()["task_id"])
    assert done["creations"][0]["video"]["duration"] == 6


def test_a_template_takes_pictures(customer: Customer) -> None:
    asked = {"template": "hugging", "images": [data_url(320, 240)]}
    answer = customer.http.post("/ent/v2/template", json=asked)
    assert customer.finished(answer.json()["task_id"])["state"] == "success"


@pytest.mark.parametrize(
    ("path", "body", "wanted"),
    [
        ("upscale-new", {}, "FieldLacking"),
        ("upscale-new", {"upscale_resolution": "9K", "video_creation_id": "1"}, "FieldInvalid"),
        ("upscale-new", {"upscale_resolution": "4K", "video_creation_id": "1"}, "FieldInvalid"),
        ("upscale-new", {"upscale_resolution": "4K", "creation_id": "1"}, "FieldUnwanted"),
        ("extend", {"model": "viduq3", "duration": 5, "video_creation_id": "1"}, "FieldInvalid"),
        ("extend", {"model": "viduq2-pro", "duration": 8, "video_creation_id": "1"}, "FieldInvalid"),
        ("template", {"template": "hugging"}, "FieldLacking"),
        ("template", {"template": "hugging", "images": ["x"]}, "FieldInvalid"),
        ("upscale", {}, "NotFound"),
    ],
)
def test_what_clients_do_not_send_is_refused(customer: Customer, path: str, body: dict[str, Any], wanted: str) -> None:
    assert reason(customer.http.post(f"/ent/v2/{path}", json=body), 404 if wanted == "NotFound" else 400) == wanted
