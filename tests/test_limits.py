"""How often and how much: too many presses, too many pictures, and bodies that no form of ours is as large as."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from generations import limits
from generations.middleware import LARGEST, LARGEST_WITH_FILES
from generations.models import Asset, ProviderKey, Task, User
from generations.views import tasks
from tests.factories import picture_bytes
from tests.views.pages import composer_fields, htmx, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    cache.clear()


def test_a_place_is_free_again_when_it_is_given_back() -> None:
    limit = limits.Limit("test", 2, 60)
    first, _second = limit.take("a"), limit.take("a")
    with pytest.raises(limits.Locked) as locked:
        limit.take("a")
    assert 55 < locked.value.seconds <= 60
    assert locked.value.minutes == 1
    limit.take("b")
    limits.give_back(first)
    assert limit.take("a") == first


@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_no_more_places() -> None:
    limit = limits.Limit("test", 5, 60)

    def take(_number: int) -> str:
        try:
            return limit.take("a")
        except limits.Locked:
            return ""
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as tries:
        taken = [place for place in tries.map(take, range(12)) if place]
    assert len(set(taken)) == len(taken) == 5


@pytest.mark.parametrize(("address", "told"), [
    ("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3::4", "20010db800010002::"), ("", "unknown"), (None, "unknown"),
    ("not one", "unknown"),
])  # fmt: skip
def test_whose_neighbourhood_it_is(address: str | None, told: str) -> None:
    assert limits.neighbourhood(address) == told


# --- Presses and pictures --------------------------------------------------------------------------------------


def test_a_loop_that_presses_is_slowed_down(alice: User, key: ProviderKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "PRESSES", limits.Limit("press", 2, 60))
    desk = signed_in(alice)
    for status in (200, 200, 422):
        answer = desk.post("/tasks/", composer_fields(desk, "/", prompt="A boat"), headers=htmx())
        assert answer.status_code == status
    assert "Generate was pressed too often. Nothing was sent" in answer.content.decode()
    assert "A boat" in answer.content.decode(), "what was typed stays"
    assert Task.objects.count() == 2


def test_many_pictures_wait(alice: User, key: ProviderKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "UPLOADS", limits.Limit("upload", 1, 600))
    desk = signed_in(alice)
    fields: dict[str, Any] = composer_fields(desk, "/?mode=reference2video", prompt="A boat")
    fields["images"] = [SimpleUploadedFile(f"{n}.png", picture_bytes(colour=f"#{n}{n}{n}")) for n in (1, 2)]
    answer = desk.post("/tasks/", fields, headers=htmx())
    assert answer.status_code == 422
    assert "So many pictures in so short a time" in answer.content.decode()
    assert Asset.objects.count() == 1
    assert not Task.objects.exists()


# --- Sizes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "length", "refused"), [
    ("/accounts/sign-in/", LARGEST + 1, True), ("/settings/look/", LARGEST + 1, True),
    ("/admin/generations/providerkey/add/", LARGEST + 1, True), ("/tasks/", LARGEST_WITH_FILES + 1, True),
    ("/tasks/", "9" * 5000, True), ("/settings/look/", "0" * 30 + str(LARGEST + 1), True),
    ("/settings/look/", "", False),
])  # fmt: skip
def test_what_is_too_large_is_not_read(alice: User, path: str, length: Any, refused: bool) -> None:
    """The body is a trap: whoever reads it fails."""

    class Trap:
        def read(self, *_: Any) -> bytes:
            raise AssertionError("it was read")

        readline = read

    environ: dict[str, Any] = {"wsgi.input": Trap()} if refused else {}
    response = signed_in(alice).post(path, CONTENT_LENGTH=str(length), **environ)
    assert (response.status_code == 413) is refused
    if refused:
        assert "Too large" in response.content.decode()


@pytest.mark.parametrize("length", ["+9000000", "9_000_000", " 9000000", "-1", "much"])
def test_what_is_no_length_is_refused(length: str) -> None:
    assert Client().post("/accounts/sign-in/", CONTENT_LENGTH=length).status_code == 400


def test_strangers_send_no_pictures() -> None:
    assert Client().post("/tasks/", CONTENT_LENGTH=str(LARGEST + 1)).status_code == 413
