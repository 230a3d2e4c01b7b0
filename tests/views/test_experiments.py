"""Upscale, extend and templates: there only where a key has them on, each with its own small form."""

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from generations import words
from generations.dispatch import build_order
from generations.models import Attempt, ProviderKey, Task, User
from tests.factories import make_creation, make_key, make_task, picture_bytes
from tests.views.pages import signed_in


@pytest.fixture
def trial_key(db: None) -> ProviderKey:
    return make_key("Trials", options={"experiments": True})


def finished(owner: User, key: ProviderKey) -> Task:
    task = make_task(owner, key=key, state="succeeded")
    make_creation(task, remote_id="915200000000000099")
    return task


def test_they_are_off_by_default(alice: User, key: ProviderKey) -> None:
    task = finished(alice, key)
    client = signed_in(alice)
    assert "follow-up" not in client.get(f"/tasks/{task.pk}/").content.decode()
    assert client.post(f"/tasks/{task.pk}/follow-up/upscale/", {"resolution": "4K"}).status_code == 404
    assert client.get("/templates/").status_code == 404
    assert "/templates/" not in client.get("/").content.decode()


def test_task_follow_up_upscale(alice: User, trial_key: ProviderKey) -> None:
    source = finished(alice, trial_key)
    client = signed_in(alice)
    page = client.get(f"/tasks/{source.pk}/").content.decode()
    assert 'id="follow-up-upscale"' in page
    assert 'id="follow-up-extend"' in page
    answer = client.post(f"/tasks/{source.pk}/follow-up/upscale/", {"resolution": "4K"})
    task = Task.objects.exclude(pk=source.pk).get()
    assert answer["Location"] == f"/tasks/{task.pk}/"
    assert (task.mode, task.resolution, task.duration, task.key) == ("upscale", "4K", 0, trial_key)
    assert task.source == source.creations.get()
    assert (task.remix_of, task.estimate) == (source, None)
    assert words.model_label(task) == "Vidu Upscale"
    order = build_order(Attempt(task=task, key=trial_key, token="vf1.x"))
    assert order.source_id == "915200000000000099"
    assert client.get(f"/tasks/{task.pk}/").status_code == 200


def test_task_follow_up_extend(alice: User, trial_key: ProviderKey) -> None:
    source = finished(alice, trial_key)
    asked = {"model": "viduq2-pro", "duration": "6", "resolution": "1080p", "prompt": "She walks on"}
    signed_in(alice).post(f"/tasks/{source.pk}/follow-up/extend/", asked)
    task = Task.objects.exclude(pk=source.pk).get()
    assert (task.mode, task.model, task.duration, task.prompt_text) == ("extend", "viduq2-pro", 6, "She walks on")


@pytest.mark.parametrize(
    "wrong",
    [{"duration": "9"}, {"duration": ""}, {"model": "viduq3"}, {"resolution": "8K"}, {"prompt": "x" * 2001}],
    ids=str,
)
def test_what_is_wrong_is_said_and_nothing_is_made(alice: User, trial_key: ProviderKey, wrong: dict[str, Any]) -> None:
    source = finished(alice, trial_key)
    asked = {"model": "viduq2-pro", "duration": "6", "resolution": "1080p", **wrong}
    answer = signed_in(alice).post(f"/tasks/{source.pk}/follow-up/extend/", asked)
    assert answer.status_code == 422
    assert 'class="error"' in answer.content.decode()
    assert Task.objects.count() == 1


@pytest.mark.parametrize("mode", ["template", "text2video", "nonsense"])
def test_only_what_starts_from_a_clip_does(alice: User, trial_key: ProviderKey, mode: str) -> None:
    source = finished(alice, trial_key)
    assert signed_in(alice).post(f"/tasks/{source.pk}/follow-up/{mode}/").status_code == 404


def test_a_clip_of_another_key_cannot_be_followed_up(alice: User, key: ProviderKey, trial_key: ProviderKey) -> None:
    source = finished(alice, key)
    assert signed_in(alice).post(f"/tasks/{source.pk}/follow-up/upscale/", {"resolution": "4K"}).status_code == 404


def test_a_private_clip_of_somebody_else_is_not_there(alice: User, bob: User, trial_key: ProviderKey) -> None:
    source = finished(alice, trial_key)
    Task.objects.update(visibility="private")
    assert signed_in(bob).post(f"/tasks/{source.pk}/follow-up/upscale/", {"resolution": "4K"}).status_code == 404


def picture() -> SimpleUploadedFile:
    return SimpleUploadedFile("two.jpg", picture_bytes(640, 360))


def test_template_create(alice: User, trial_key: ProviderKey) -> None:
    client = signed_in(alice)
    assert "/templates/" in client.get("/").content.decode()
    assert client.get("/templates/").status_code == 200
    asked = {"key": trial_key.pk, "template": "hugging", "images": picture(), "aspect_ratio": "9:16"}
    client.post("/templates/", asked)
    task = Task.objects.get()
    assert (task.mode, task.options, task.aspect_ratio) == ("template", {"template": "hugging"}, "9:16")
    assert task.task_inputs.count() == 1


@pytest.mark.parametrize(
    "wrong",
    [{"template": ""}, {"template": "../x"}, {"images": ""}, {"key": "999"}, {"aspect_ratio": "2:1"}],
    ids=str,
)
def test_a_wrong_template_is_refused(alice: User, trial_key: ProviderKey, wrong: dict[str, Any]) -> None:
    asked = {"key": trial_key.pk, "template": "hugging", "images": picture(), **wrong}
    answer = signed_in(alice).post("/templates/", {name: value for name, value in asked.items() if value != ""})
    assert answer.status_code == 422
    assert not Task.objects.exists()


def test_the_composer_takes_no_experiment(alice: User, trial_key: ProviderKey) -> None:
    asked = {"mode": "upscale", "model": "vidu-upscale", "prompt": "x"}
    assert signed_in(alice).post("/tasks/", asked).status_code == 422
    assert not Task.objects.exists()


def test_the_same_press_twice_makes_one_and_another_one_is_told(alice: User, trial_key: ProviderKey) -> None:
    source = finished(alice, trial_key)
    client, address = signed_in(alice), f"/tasks/{source.pk}/follow-up/upscale/"
    pressed = {"resolution": "4K", "request_id": "0b5d1f6e-3c2e-4f0e-9d0a-6a1f7e1f0001"}
    first, again = client.post(address, pressed), client.post(address, pressed)
    assert first["Location"] == again["Location"]
    changed = client.post(address, pressed | {"resolution": "2K"})
    assert changed.status_code == 422
    page = changed.content.decode()
    assert "sent before with other content" in page
    renewed = re.search(r'name="request_id" value="([0-9a-f-]{36})"', page)
    assert renewed is not None
    assert renewed[1] != pressed["request_id"]
    assert Task.objects.count() == 2
    client.post(address, {"resolution": "2K", "request_id": renewed[1]})
    assert Task.objects.count() == 3
