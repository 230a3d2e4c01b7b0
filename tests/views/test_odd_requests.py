"""What a page never sends: answered with a page, never with an error of ours."""

import uuid

import pytest
from django.test import Client

from generations.models import ProviderKey, Task, User
from tests.factories import make_budget
from tests.views.pages import htmx, signed_in

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "\0", "x" * 5000])
def test_a_cursor_from_nowhere_counts_as_none(alice: User, moment: str) -> None:
    assert signed_in(alice).get("/live/", {"v": moment}, headers=htmx()).status_code in (200, 204)


@pytest.mark.parametrize("page", ["/", "/library/", "/live/"])
def test_a_search_may_hold_anything(alice: User, page: str) -> None:
    assert signed_in(alice).get(page, {"q": "\0%_'"}).status_code in (200, 204)


def order(request_id: uuid.UUID, **over: str) -> dict[str, str]:
    return {
        "request_id": str(request_id), "mode": "text2video", "model": "viduq3-turbo", "prompt": "A boat",
        "duration": "5", "resolution": "720p", "aspect_ratio": "16:9", "count": "1", **over,
    }  # fmt: skip


def test_an_endless_number_costs_nothing(alice: User, key: ProviderKey) -> None:
    data = order(uuid.uuid4(), until="9" * 5000)
    assert signed_in(alice).post("/tasks/", data, headers=htmx()).status_code == 200
    assert Task.objects.count() == 1


def test_an_old_form_with_new_words_is_a_new_press(alice: User, key: ProviderKey) -> None:
    client, request_id = signed_in(alice), uuid.uuid4()
    client.post("/tasks/", order(request_id))
    again = client.post("/tasks/", order(request_id, prompt="A train"), headers=htmx())
    assert again.status_code == 422
    assert "sent before with other content" in again.content.decode()
    fresh = again.context["form"]["request_id"].value()
    assert fresh != str(request_id)
    assert client.post("/tasks/", order(uuid.UUID(fresh), prompt="A train"), headers=htmx()).status_code == 200
    assert sorted(Task.objects.values_list("prompt_text", flat=True)) == ["A boat", "A train"]


def test_only_our_languages_are_taken(alice: User) -> None:
    signed_in(alice).post("/settings/look/", {"language": "de", "theme": "dark"})
    alice.refresh_from_db()
    assert (alice.language, alice.theme) == ("", "dark")


def test_errors_have_the_policy_too(db: None) -> None:
    for response in (Client().get("/", headers={"Host": "evil.example"}), Client().get("/nowhere/")):
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]
        assert response.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(("budget", "count", "made"), [(110, "2", 2), (109, "2", 0), (54, "1", 0), (0, "1", 0)])
def test_a_budget_stops_new_work_at_its_end(alice: User, key: ProviderKey, budget: int, count: str, made: int) -> None:
    make_budget(key, budget)
    answer = signed_in(alice).post("/tasks/", order(uuid.uuid4(), count=count), headers=htmx())
    assert answer.status_code == (200 if made else 422)
    assert Task.objects.count() == made
    if not made:
        assert f"has {budget} credits of its budget left" in answer.content.decode()


def test_what_is_left_of_a_budget_is_shown(alice: User, key: ProviderKey) -> None:
    assert b'id="budget"' not in signed_in(alice).get("/").content
    make_budget(key, 1240)
    assert "1,240 credits left this month" in signed_in(alice).get("/").content.decode()
