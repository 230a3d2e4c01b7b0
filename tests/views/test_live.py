import re
from datetime import timedelta
from html import unescape as html_unescape

import pytest
from django.test import Client
from django.utils import timezone

from generations.models import ProviderKey, Task, TaskState, User, Visibility
from tests.factories import make_creation, make_task
from tests.views.pages import htmx, signed_in


def cursor(task: Task) -> str:
    return task.changed_at.isoformat(timespec="microseconds")


def change(task: Task, **fields: object) -> None:
    now = timezone.now()
    if fields.get("state") in (TaskState.SUCCEEDED, TaskState.FAILED):
        fields["finished_at"] = now
    Task.objects.filter(pk=task.pk).update(changed_at=now, **fields)


def poll(user: User, **query: object) -> tuple[int, str]:
    response = signed_in(user).get("/live/", query, headers=htmx())
    return response.status_code, response.content.decode()


def shown_line(user: User) -> str:
    """The word for the line that a fresh page has."""
    found = re.search(r'name="line" value="([0-9a-f]*)"', signed_in(user).get("/").content.decode())
    assert found
    return found[1]


def test_nothing_new_is_204_in_one_query_of_ours(
    alice: User, key: ProviderKey, django_assert_num_queries: object
) -> None:
    task = make_task(alice)
    client = signed_in(alice)
    with django_assert_num_queries(3):  # type: ignore[operator]  # session, user, newest change
        response = client.get("/live/", {"v": cursor(task), "oldest": task.pk}, headers=htmx())
    assert response.status_code == 204
    assert response.content == b""
    assert response["Cache-Control"] == "no-store"
    assert "HX-Request" in response["Vary"]


def test_a_change_brings_the_card_a_new_cursor_and_the_count(alice: User, key: ProviderKey) -> None:
    task, other = make_task(alice), make_task(alice, state="queued")
    before = cursor(other)
    change(task, state="processing", progress=40)
    status, html = poll(alice, v=before, oldest=task.pk, newest=other.pk)
    assert status == 200
    assert html.lstrip().startswith('<div id="live"')
    assert f'id="task-{task.pk}" data-state="processing" hx-swap-oob="true"' in html
    assert f"task-{other.pk}" not in html
    task.refresh_from_db()
    assert f'name="v" value="{cursor(task).replace("+", "&#x2B;")}"' in html or f'value="{cursor(task)}"' in html
    assert "2 running" in html
    assert "<title>(2) " in html


def test_the_new_cursor_is_accepted_as_it_was_given(alice: User, key: ProviderKey) -> None:
    task = make_task(alice)
    # "+00:00" arrives as a space where somebody forgot to encode it.
    for given in (cursor(task), cursor(task).replace("+", " ")):
        assert poll(alice, v=given)[0] == 204


@pytest.mark.parametrize("given", ["", "yesterday", "2026-99-99T00:00:00+00:00", "2026-01-01T00:00:00", "\x00", "é"])
def test_a_cursor_that_cannot_be_read_counts_as_none(alice: User, key: ProviderKey, given: str) -> None:
    task = make_task(alice)
    status, html = poll(alice, v=given, oldest="x", newest=str(task.pk), until="soon")
    assert status == 200
    assert f'id="task-{task.pk}"' in html


def test_a_page_without_tasks_stays_quiet(alice: User) -> None:
    assert poll(alice, v="", oldest="", newest="")[0] == 204


def test_the_end_of_ones_own_clip_is_said_once(alice: User, bob: User, key: ProviderKey) -> None:
    mine, failing, theirs = make_task(alice, state="archiving"), make_task(alice), make_task(bob, state="archiving")
    before = cursor(theirs)
    make_creation(mine)
    change(mine, state="succeeded")
    change(failing, state="failed", failure_class="content_policy")
    change(theirs, state="succeeded")
    html = poll(alice, v=before, scope="team", oldest=mine.pk, newest=theirs.pk)[1]
    assert '<div hx-swap-oob="innerHTML:#say">1 clip ready, 1 failed</div>' in html
    assert 'hx-swap-oob="beforeend:#toasts"' in html
    assert "Blocked by the content policy" in html


def test_only_cards_that_the_page_holds_are_sent(alice: User, key: ProviderKey) -> None:
    old, held, new = (make_task(alice, prompt_text=name) for name in ("old one", "held one", "new one"))
    before = cursor(new)
    for task in (old, held, new):
        change(task, state="queued")
    html = poll(alice, v=before, oldest=held.pk, newest=held.pk)[1]
    assert f'id="task-{held.pk}"' in html
    assert f'id="task-{old.pk}"' not in html
    assert f'id="task-{new.pk}"' not in html
    assert "1 new clip" in html
    filtered = poll(alice, v=before, oldest=old.pk, newest=new.pk, q="held")[1]
    assert f'id="task-{held.pk}"' in filtered
    assert f'id="task-{old.pk}"' not in filtered
    failed_list = poll(alice, v=before, oldest=old.pk, newest=new.pk, state="failed")[1]
    assert 'class="card"' not in failed_list


def test_those_that_wait_are_sent_again_when_the_line_moved(alice: User, key: ProviderKey) -> None:
    first, second = make_task(alice), make_task(alice)
    before, line = cursor(second), shown_line(alice)
    assert poll(alice, v=before, line=line, oldest=first.pk, newest=second.pk)[0] == 204
    change(first, state="submitting")
    html = poll(alice, v=before, line=line, oldest=first.pk, newest=second.pk)[1]
    assert "1st in line" in html


def test_a_colleague_who_leaves_the_line_moves_those_behind(alice: User, bob: User, key: ProviderKey) -> None:
    theirs, mine = make_task(bob), make_task(alice)
    before, line = cursor(mine), shown_line(alice)
    page = signed_in(alice).get(f"/tasks/{mine.pk}/").content.decode()
    address = html_unescape(re.search(rf'hx-get="(/tasks/{mine.pk}/live/[^"]*)"', page)[1])  # type: ignore[index]
    assert signed_in(alice).get(address, headers=htmx()).status_code == 204
    change(theirs, state="cancelled")
    status, html = poll(alice, v=before, line=line, oldest=mine.pk, newest=mine.pk)
    assert (status, "1st in line" in html) == (200, True)
    assert signed_in(alice).get(address, headers=htmx()).status_code == 200


def test_the_pace_is_the_servers_choice(alice: User, bob: User, key: ProviderKey) -> None:
    assert 'hx-trigger="resume from:body"' in signed_in(alice).get("/").content.decode()
    assert 'hx-trigger="every 30s, resume from:body"' in signed_in(alice).get("/?scope=team").content.decode()
    task = make_task(alice)
    assert 'hx-trigger="every 2s, resume from:body"' in signed_in(alice).get("/").content.decode()
    assert 'hx-trigger="every 4s, resume from:body"' in signed_in(bob).get("/?scope=team").content.decode()
    Task.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    assert 'hx-trigger="every 4s, resume from:body"' in signed_in(alice).get("/").content.decode()
    change(task, state="failed")
    assert 'hx-trigger="resume from:body"' in signed_in(alice).get("/").content.decode()


def test_a_quick_pace_ends_although_nothing_changed(alice: User, key: ProviderKey) -> None:
    task = make_task(alice, created_at=timezone.now() - timedelta(minutes=2))
    over = int(timezone.now().timestamp()) - 1
    status, html = poll(alice, v=cursor(task), newest=task.pk, until=over)
    assert status == 200
    assert 'hx-trigger="every 4s, resume from:body"' in html
    assert 'class="card"' not in html
    assert poll(alice, v=cursor(task), newest=task.pk, until=over + 60)[0] == 204


def test_the_private_tasks_of_others_are_no_news(alice: User, charlie: User, key: ProviderKey) -> None:
    task = make_task(alice, visibility=Visibility.PRIVATE, prompt_text="A secret")
    assert poll(charlie, scope="team", v="")[0] == 204
    assert "A secret" not in poll(charlie, scope="team", v="2020-01-01T00:00:00+00:00", oldest=task.pk)[1]


def test_signed_out_it_sends_the_whole_page_to_sign_in(db: None) -> None:
    response = Client().get("/live/", headers=htmx(**{"HX-Current-URL": "http://testserver/?scope=team"}))
    assert response.status_code == 204
    assert response["HX-Redirect"] == "/accounts/sign-in/?next=%2F%3Fscope%3Dteam"
