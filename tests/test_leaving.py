"""Somebody leaves: access ends at once, work goes on, nothing is deleted, and somebody else decides from then on."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.http import Http404
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from generations import leaving, queries, totals
from generations.models import Invitation, ProviderKey, ShareLink, Task, TaskState, User, Visibility
from tests.factories import make_asset, make_task, make_user
from tests.views.pages import signed_in

pytestmark = pytest.mark.django_db


def share(task: Task, owner: User, audience: str = "team") -> ShareLink:
    end = timezone.now() + timedelta(days=7) if audience == "anyone" else None
    token = f"{audience}-{task.pk}"
    return ShareLink.objects.create(
        token_hash=token[:64], token_end="abcd", task=task, owner=owner, created_by=owner, audience=audience,
        expires_at=end,
    )  # fmt: skip


def gone(person: User) -> bool:
    return not User.objects.get(pk=person.pk).is_active


def test_what_they_leave_is_their_successors(
    alice: User, bob: User, charlie: User, admin: User, key: ProviderKey
) -> None:
    task = make_task(alice, visibility=Visibility.PRIVATE)
    picture = make_asset(alice)
    leaving.leave(alice, admin, successor=bob)
    task.refresh_from_db()
    assert task.owner == alice, "whoever made it made it"
    assert queries.get_task(bob, task.pk) == task
    assert queries.get_asset(bob, picture.pk) == picture
    assert task in queries.feed(bob, scope="team").tasks
    assert task in queries.feed(bob, scope="team", state="running").tasks
    assert task not in queries.feed(bob, scope="mine").tasks
    assert signed_in(bob).post(reverse("task-cancel", args=[task.pk])).status_code == 302
    assert Task.objects.get().state == TaskState.CANCELLED
    with pytest.raises(Http404):
        queries.get_task(charlie, task.pk)
    assert totals.check() == []


def test_it_goes_on_to_the_next_and_comes_back(
    alice: User, bob: User, charlie: User, admin: User, key: ProviderKey
) -> None:
    task = make_task(alice, visibility=Visibility.PRIVATE)
    leaving.leave(alice, admin, successor=bob)
    leaving.leave(bob, admin, successor=charlie)
    assert queries.get_task(charlie, task.pk) == task
    leaving.come_back(User.objects.get(pk=alice.pk))
    with pytest.raises(Http404):
        queries.get_task(charlie, task.pk)
    assert queries.get_task(User.objects.get(pk=alice.pk), task.pk) == task


def test_every_session_ends_with_its_next_request(alice: User, admin: User) -> None:
    client = signed_in(alice)
    assert client.get("/").status_code == 200
    leaving.leave(alice, admin)
    assert client.get("/").status_code == 302
    assert client.get("/", headers={"HX-Request": "true"}).status_code == 204


def test_a_session_does_not_come_back_with_its_person(alice: User, bob: User, admin: User) -> None:
    client, other = signed_in(alice), signed_in(bob)
    leaving.leave(alice, admin)
    leaving.come_back(User.objects.get(pk=alice.pk))
    assert client.get("/").status_code == 302
    assert other.get("/").status_code == 200


def test_nor_does_one_of_somebody_who_was_let_go_otherwise(alice: User) -> None:
    client = signed_in(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    leaving.come_back(User.objects.get(pk=alice.pk))
    assert client.get("/").status_code == 302


def test_links_for_anyone_end_and_others_stay(alice: User, bob: User, admin: User, key: ProviderKey) -> None:
    task = make_task(alice)
    team, anyone = share(task, alice), share(task, alice, "anyone")
    leaving.leave(alice, admin, successor=bob)
    for link in (team, anyone):
        link.refresh_from_db()
        assert link.owner == bob
    assert team.revoked_at is None
    assert (anyone.revoked_at is not None, anyone.revoked_by) == (True, admin)


def test_all_links_end_where_that_is_wanted(alice: User, admin: User, key: ProviderKey) -> None:
    link = share(make_task(alice), alice)
    leaving.leave(alice, admin, end_all_links=True)
    link.refresh_from_db()
    assert link.revoked_at is not None


def test_their_open_invitations_end(alice: User, bob: User, admin: User) -> None:
    when = timezone.now() + timedelta(days=7)
    for number, person in enumerate((alice, bob)):
        Invitation.objects.create(token_hash=str(number), token_end="x", created_by=person, expires_at=when)
    leaving.leave(alice, admin)
    assert [each.revoked_at is not None for each in Invitation.objects.order_by("pk")] == [True, False]


@pytest.mark.parametrize(("who", "after", "why"), [
    ("admin", None, "last"), ("alice", "alice", "successor"), ("alice", "gone", "successor"), ("gone", None, "gone"),
])  # fmt: skip
def test_what_cannot_be(alice: User, admin: User, who: str, after: str | None, why: str) -> None:
    make_user("gone", is_active=False)
    make_user("old-admin", role="admin", is_active=False)
    people = {each.username: each for each in User.objects.all()}
    before = User.objects.filter(is_active=True).count()
    with pytest.raises(leaving.CannotLeave, match=why):
        leaving.leave(people[who], admin, successor=people[after] if after else None)
    assert User.objects.filter(is_active=True).count() == before


@pytest.mark.django_db(transaction=True)
def test_two_administrators_cannot_send_each_other_away(admin: User) -> None:
    other = make_user("other", role="admin")

    def send_away(person: User, actor: User) -> bool:
        try:
            leaving.leave(person, actor)
        except leaving.CannotLeave:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(send_away, (admin, other), (other, admin)))
    assert sorted(done) == [False, True]
    assert User.objects.filter(role="admin", is_active=True).count() == 1


# --- In the admin --------------------------------------------------------------------------------------------


def test_an_administrator_ends_access_on_a_page(alice: User, bob: User, admin: User, key: ProviderKey) -> None:
    make_task(alice)
    desk, page = signed_in(admin), reverse("admin:leave-person", args=[alice.pk])
    assert page in desk.get(reverse("admin:generations_user_change", args=[alice.pk])).content.decode()
    shown = desk.get(page).content.decode()
    assert "1 clip keeps the name" in shown
    assert "1 is under way" in shown
    assert f'value="{alice.pk}"' not in shown
    desk.post(page, {"successor": bob.pk, "links": "keep"})
    assert gone(alice)
    after = desk.get(reverse("admin:generations_user_change", args=[alice.pk])).content.decode()
    assert "bob has taken over" in after
    desk.post(reverse("admin:return-person", args=[alice.pk]))
    assert not gone(alice)


def test_nothing_is_left_to_an_auditor_or_somebody_gone(alice: User, admin: User) -> None:
    for nobody in (make_user("looks", role="auditor"), make_user("away", is_active=False), alice):
        answer = signed_in(admin).post(
            reverse("admin:leave-person", args=[alice.pk]), {"successor": nobody.pk, "links": "keep"}
        )
        assert answer.status_code == 422
    assert not gone(alice)


def test_the_last_administrator_is_told_why(admin: User) -> None:
    answer = signed_in(admin).post(reverse("admin:leave-person", args=[admin.pk]), {"links": "keep"})
    assert answer.status_code == 422
    assert "last active administrator" in answer.content.decode()


@pytest.mark.parametrize("role", ["member", "auditor"])
def test_others_have_no_such_page(alice: User, role: str) -> None:
    looks: Client = signed_in(make_user("looks", role=role))
    for name in ("leave-person", "return-person"):
        page = reverse(f"admin:{name}", args=[alice.pk])
        assert looks.get(page).status_code in (302, 403, 405)
        assert looks.post(page, {"links": "keep"}).status_code in (302, 403)
    assert not gone(alice)
