from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from generations.models import Batch, ProviderKey, Task, TaskEvent, TaskInput, User, Visibility
from tests.factories import make_asset, make_creation, make_task
from tests.views.pages import htmx, signed_in


def page(user: User, task: Task) -> str:
    response = signed_in(user).get(f"/tasks/{task.pk}/")
    assert response.status_code == 200
    return response.content.decode()


def test_it_plays_our_own_copy(alice: User, bob: User, key: ProviderKey) -> None:
    task = make_task(alice, state="succeeded", charge=Decimal(50))
    made = make_creation(task)
    html = page(bob, task)
    assert f'src="/media/creations/{made.pk}/video/"' in html
    assert f'poster="/media/creations/{made.pk}/poster/"' in html
    assert 'controls playsinline preload="metadata"' in html
    assert "Charged 50 credits" in html
    assert f"/tasks/{task.pk}/download/" in html
    assert made.source_url not in html


def test_what_is_private_is_not_there_for_others(
    alice: User, bob: User, charlie: User, admin: User, key: ProviderKey
) -> None:
    task = make_task(alice, visibility=Visibility.PRIVATE)
    for person, status in ((alice, 200), (bob, 404), (charlie, 404), (admin, 200)):
        for address in (f"/tasks/{task.pk}/", f"/tasks/{task.pk}/live/"):
            assert signed_in(person).get(address).status_code == status, (person, address)
    assert signed_in(charlie).post(f"/tasks/{task.pk}/cancel/").status_code == 404


def test_vendor_ids_and_tokens_are_for_staff(alice: User, admin: User, key: ProviderKey) -> None:
    task = make_task(alice, state="failed", remote_id="remote-77", anomaly="odd word", failure_text="raw words")
    assert task.attempt is not None
    for secret in ("remote-77", task.attempt.token, "odd word", "raw words"):
        assert secret not in page(alice, task)
        assert secret in page(admin, task)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"state": "waiting"}, "About 55 credits"),
        ({"state": "queued", "quote": Decimal(60)}, "60 credits held"),
        ({"state": "uncertain", "failure_class": "ambiguous_submit"}, "55 credits held, may be charged"),
        ({"state": "failed", "charge": Decimal(0)}, "Not charged"),
        ({"state": "failed"}, "Charge not confirmed"),
        ({"state": "succeeded"}, "Charge not confirmed"),
        ({"state": "succeeded", "charge": Decimal("1234.5")}, "Charged 1,234.5 credits"),
        ({"state": "succeeded", "charge": Decimal("0.4"), "unit": "usd"}, "Charged 0.40 USD"),
        ({"state": "queued", "estimate": None}, "Price unknown"),
    ],
)
def test_the_cost_line_is_as_sure_as_its_source(
    alice: User, key: ProviderKey, fields: dict[str, object], said: str
) -> None:
    html = page(alice, make_task(alice, **fields))
    assert f'id="cost"><strong>{said}</strong>' in html


def test_a_lost_answer_is_told_as_it_is(alice: User, key: ProviderKey) -> None:
    html = page(alice, make_task(alice, state="uncertain", failure_class="ambiguous_submit"))
    assert "may be charged, so it is not sent a second time" in html


def test_a_key_in_trouble_is_why_it_waits(alice: User, key: ProviderKey) -> None:
    ProviderKey.objects.update(problem="credits")
    html = page(alice, make_task(alice))
    assert "Held back: the key “Studio” is out of credits" in html


def test_batch_inputs_and_timeline(alice: User, bob: User, key: ProviderKey) -> None:
    batch = Batch.objects.create(owner=alice, request_id="0190aaaa-0000-7000-8000-000000000000", size=2)
    first = make_task(alice, batch=batch, position=0)
    second = make_task(alice, batch=batch, position=1)
    asset = make_asset(alice)
    TaskInput.objects.create(task=first, asset=asset, position=0)
    TaskEvent.objects.create(task=first, kind="waiting", at=timezone.now())
    TaskEvent.objects.create(task=first, kind="cancel-refused", at=timezone.now())
    html = page(bob, first)
    assert f'href="/tasks/{second.pk}/"' in html
    assert f"/media/assets/{asset.pk}/" in html
    assert "The vendor did not cancel" in html


def test_the_timeline_names_the_keys_of_a_change(alice: User, key: ProviderKey) -> None:
    task = make_task(alice)
    TaskEvent.objects.create(task=task, kind="key-changed", detail={"old": "Studio", "new": "Reserve <b>"})
    TaskEvent.objects.create(task=task, kind="exists-said", detail={"remote_id": "remote-77"})
    html = page(alice, task)
    assert "Studio → Reserve &lt;b&gt;" in html
    assert "remote-77" not in html, "the vendor's ids are for staff"


def test_it_looks_while_the_task_is_open_and_then_stops(alice: User, key: ProviderKey) -> None:
    task = make_task(alice, state="processing")
    assert 'hx-trigger="every 2s, resume from:body"' in page(alice, task)
    address, version = f"/tasks/{task.pk}/live/", task.changed_at.isoformat(timespec="microseconds")
    client = signed_in(alice)
    assert client.get(address, {"v": version}, headers=htmx()).status_code == 204
    Task.objects.update(state="succeeded", changed_at=timezone.now())
    make_creation(task)
    answer = client.get(address, {"v": version}, headers=htmx())
    html = answer.content.decode()
    assert html.lstrip().startswith('<div id="task-live" hidden></div>')
    assert 'id="task-main" data-state="succeeded" hx-swap-oob="true"' in html
    assert '<div hx-swap-oob="innerHTML:#say">Ready</div>' in html
    assert answer["Cache-Control"] == "no-store"
    assert client.get(address, {"v": "nonsense"}, headers=htmx()).status_code == 200


def test_queries_do_not_grow_with_batch_and_timeline(alice: User, key: ProviderKey) -> None:
    batch = Batch.objects.create(owner=alice, request_id="0190aaaa-0000-7000-8000-000000000001", size=4)
    client = signed_in(alice)

    def count(task: Task) -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/tasks/{task.pk}/")
        return len(queries)

    tasks = [make_task(alice, batch=batch, position=place, state="succeeded") for place in range(2)]
    few = count(tasks[0])
    for place in (2, 3):
        make_creation(make_task(alice, batch=batch, position=place, state="succeeded"))
    for task in tasks:
        make_creation(task)
        TaskEvent.objects.create(task=task, kind="queued")
    assert count(tasks[0]) <= few
    assert few <= 16


def test_what_it_was_made_from_is_told_to_those_who_see_it(alice: User, bob: User, key: ProviderKey) -> None:
    earlier = make_task(alice)
    task = make_task(bob, remix_of=earlier)
    assert f"/tasks/{earlier.pk}/" in page(bob, task)
    Task.objects.filter(pk=earlier.pk).update(visibility=Visibility.PRIVATE)
    assert str(earlier.pk) not in page(bob, task)
    assert "Made from" not in page(bob, task)
    Task.objects.filter(pk=task.pk).update(owner=alice)
    assert f"/tasks/{earlier.pk}/" in page(alice, task)
