"""A clip that still waits can be changed: a new one takes its place, and never are there two."""

from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from generations import ledger, lifecycle
from generations.models import ProviderKey, Task, TaskInput, User
from tests.factories import make_asset, make_budget, make_task
from tests.views.pages import Form, composer_fields, htmx, signed_in


def waiting(owner: User, **over: object) -> Task:
    task = make_task(owner, **over)
    ledger.reserve(task, task.estimate)
    return task


def edit_fields(client: Client, task: Task, **over: str) -> dict[str, str]:
    return composer_fields(client, f"/?edit={task.pk}", **over)


def test_only_the_owner_has_the_button_and_only_while_it_waits(alice: User, admin: User, key: ProviderKey) -> None:
    task, gone = make_task(alice), make_task(alice, state="queued")
    experiment = make_task(alice, mode="upscale")
    for page in ("/?scope=team", f"/tasks/{task.pk}/"):
        assert f"/?edit={task.pk}#compose" in signed_in(alice).get(page).content.decode()
        assert "?edit=" not in signed_in(admin).get(page).content.decode()
    own = signed_in(alice).get("/").content.decode()
    assert f"?edit={gone.pk}" not in own
    assert f"?edit={experiment.pk}" not in own


def test_the_composer_is_filled_with_everything(alice: User, key: ProviderKey) -> None:
    source = make_task(alice, state="succeeded")
    task = waiting(alice, prompt_text="A heron", seed=48213, duration=4, aspect_ratio="9:16", remix_of=source)
    client = signed_in(alice)
    fields = edit_fields(client, task)
    expected = {"prompt": "A heron", "seed": "48213", "duration": "4", "aspect_ratio": "9:16"}
    assert expected.items() <= fields.items()
    assert (fields["replaces"], fields["remix_of"]) == (str(task.pk), str(source.pk))
    html = client.get(f"/?edit={task.pk}").content.decode()
    assert "Editing a clip that waits; nothing was sent." in html
    assert "Remix: everything but the seed" not in html
    assert 'data-view="compose"' in html


def test_pictures_stay(alice: User, key: ProviderKey) -> None:
    task = waiting(alice, mode="img2video")
    asset = make_asset(alice)
    TaskInput.objects.create(task=task, asset=asset, position=0)
    html = signed_in(alice).get(f"/?edit={task.pk}").content.decode()
    assert f"/media/assets/{asset.pk}/" in html


def test_saved_it_takes_the_place_of_the_old_one(alice: User, key: ProviderKey) -> None:
    task = waiting(alice, prompt_text="A heron")
    client = signed_in(alice)
    answer = client.post("/tasks/", edit_fields(client, task, prompt="A stork"), headers=htmx())
    html = answer.content.decode()
    assert answer.status_code == 200
    assert answer["HX-Replace-Url"] == "/"
    assert "Changed: 1 video queued" in html
    assert "replaces" not in Form(html, "composer").fields
    task.refresh_from_db()
    new = Task.objects.exclude(pk=task.pk).get()
    assert (task.state, task.charge, new.state, new.prompt_text) == ("cancelled", 0, "waiting", "A stork")
    assert not ledger.holds(task)
    assert ledger.holds(new)
    assert "another clip took its place" in client.get(f"/tasks/{task.pk}/").content.decode()


def test_the_same_press_twice_is_one_change(alice: User, key: ProviderKey) -> None:
    task = waiting(alice)
    client = signed_in(alice)
    fields = edit_fields(client, task, prompt="A stork")
    for _press in range(2):
        assert client.post("/tasks/", fields).status_code == 302
    assert Task.objects.count() == 2
    assert Task.objects.filter(state="waiting").count() == 1


@pytest.mark.parametrize("headers", [htmx(), {}], ids=["htmx", "plain"])
def test_what_has_just_been_sent_is_not_changed(alice: User, key: ProviderKey, headers: dict[str, str]) -> None:
    task = waiting(alice)
    client = signed_in(alice)
    fields = edit_fields(client, task, prompt="A stork")
    assert lifecycle.claim(task)
    answer = client.post("/tasks/", fields, headers=headers)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "It has just been sent, so it was not changed. Nothing new was sent." in html
    assert Task.objects.count() == 1
    kept = Form(html, "composer").fields
    assert kept["prompt"] == "A stork"
    assert "replaces" not in kept, "pressed again it would be refused for ever"
    assert client.post("/tasks/", kept).status_code == 302
    assert Task.objects.count() == 2


def test_nobody_changes_what_is_somebody_elses(alice: User, bob: User, admin: User, key: ProviderKey) -> None:
    task = waiting(alice)
    for person in (bob, admin):
        client = signed_in(person)
        fields = composer_fields(client, f"/?edit={task.pk}")
        assert "replaces" not in fields
        answer = client.post("/tasks/", fields | {"prompt": "Mine", "replaces": str(task.pk)})
        assert answer.status_code == 422
        assert "The clip that you are changing is not there any more." in answer.content.decode()
    task.refresh_from_db()
    assert task.state == "waiting"
    assert Task.objects.count() == 1


def test_an_old_link_leads_to_a_remix(alice: User, key: ProviderKey) -> None:
    task = make_task(alice, state="queued")
    client = signed_in(alice)
    answer = client.get(f"/?edit={task.pk}")
    assert (answer.status_code, answer["Location"]) == (302, f"/?from={task.pk}#compose")
    assert "no longer waits" in client.get(answer["Location"]).content.decode()
    assert client.get("/?edit=nonsense").status_code == 200


def test_what_the_old_one_held_may_be_spent_on_the_new_one(alice: User, key: ProviderKey) -> None:
    task = waiting(alice)
    ledger.reserve(make_task(alice, created_at=timezone.now()), Decimal(1))
    make_budget(key, 60)
    client = signed_in(alice)
    assert client.post("/tasks/", edit_fields(client, task, prompt="A stork")).status_code == 302
    another = composer_fields(client, "/", prompt="One more")
    assert client.post("/tasks/", another).status_code == 422
