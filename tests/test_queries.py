import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.http import Http404
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from generations import queries
from generations.models import Batch, ProviderKey, Task, TaskInput, TaskState, User, Visibility
from tests.factories import make_asset, make_creation, make_key, make_task

PRIVATE = Visibility.PRIVATE


@pytest.fixture
def house(alice: User, bob: User, charlie: User, key: ProviderKey) -> dict[str, Task]:
    """One task of each kind: Alice's and Bob's, shared and private."""
    return {
        "alice team": make_task(alice),
        "alice private": make_task(alice, visibility=PRIVATE, state=TaskState.SUCCEEDED),
        "bob team": make_task(bob, state=TaskState.SUCCEEDED),
        "bob private": make_task(bob, visibility=PRIVATE),
    }


def names(house: dict[str, Task], tasks: object) -> set[str]:
    ids = {task.pk for task in tasks}  # type: ignore[attr-defined]
    return {name for name, task in house.items() if task.pk in ids}


def test_each_sees_their_own_and_what_is_shared(
    house: dict[str, Task], alice: User, bob: User, charlie: User, admin: User
) -> None:
    assert names(house, queries.tasks_for(alice)) == {"alice team", "alice private", "bob team"}
    assert names(house, queries.tasks_for(bob)) == {"alice team", "bob private", "bob team"}
    assert names(house, queries.tasks_for(charlie)) == {"alice team", "bob team"}
    assert names(house, queries.tasks_for(admin)) == set(house)


@pytest.mark.parametrize("state", queries.STATES)
def test_every_way_to_look_shows_the_same(
    house: dict[str, Task], alice: User, bob: User, charlie: User, admin: User, state: str
) -> None:
    """The feed takes other roads through the indexes than ``tasks_for``; it must arrive at the same tasks."""
    for user in (alice, bob, charlie, admin):
        states = queries.STATES[state] or tuple(TaskState)
        allowed = queries.tasks_for(user).filter(state__in=states)
        assert [task.pk for task in queries.feed(user, scope="team", state=state).tasks] == list(
            allowed.order_by("-pk").values_list("pk", flat=True)
        )
        mine = queries.feed(user, scope="mine", state=state).tasks
        assert {task.pk for task in mine} == set(allowed.filter(owner=user).values_list("pk", flat=True))


def test_charlie_gets_404_for_everything_private(alice: User, charlie: User, admin: User, key: ProviderKey) -> None:
    task = make_task(alice, visibility=PRIVATE, state=TaskState.SUCCEEDED)
    creation, asset = make_creation(task), make_asset(alice)
    TaskInput.objects.create(task=task, asset=asset, position=0)
    for get, pk in (
        (queries.get_task, task.pk),
        (queries.get_creation, creation.pk),
        (queries.get_asset, asset.pk),
    ):
        for nobody in (charlie, charlie):
            with pytest.raises(Http404):
                get(nobody, pk)
        assert get(alice, pk).pk == pk
        assert get(admin, pk).pk == pk
    assert queries.newest_change(charlie, "team") is None
    assert queries.changed_since(charlie, "team", None) == []
    assert queries.siblings(charlie, task) == []
    assert queries.feed(charlie, scope="team").tasks == []


def test_what_is_not_there_and_what_is_not_yours_look_alike(alice: User, charlie: User, key: ProviderKey) -> None:
    hidden = make_task(alice, visibility=PRIVATE)
    answers = []
    for pk in (hidden.pk, uuid.uuid4()):
        with pytest.raises(Http404) as caught:
            queries.get_task(charlie, pk)
        answers.append(str(caught.value))
    assert answers[0] == answers[1]


def test_a_picture_is_seen_with_a_task_that_uses_it(alice: User, bob: User, charlie: User, key: ProviderKey) -> None:
    asset, unused = make_asset(alice), make_asset(alice, colour="#123456")
    shared, hidden = make_task(alice), make_task(bob, visibility=PRIVATE)
    with pytest.raises(Http404):
        queries.get_asset(charlie, asset.pk)
    TaskInput.objects.create(task=shared, asset=asset, position=0)
    TaskInput.objects.create(task=shared, asset=asset, position=1)  # twice in one task is still one picture
    assert queries.get_asset(charlie, asset.pk) == asset
    TaskInput.objects.create(task=hidden, asset=unused, position=0)
    assert queries.get_asset(bob, unused.pk) == unused
    with pytest.raises(Http404):
        queries.get_asset(charlie, unused.pk)


def test_pages_follow_each_other_without_gap_or_repeat(alice: User, bob: User, key: ProviderKey) -> None:
    made = [make_task(owner).pk for owner in (alice, bob, alice, alice, bob, alice, bob)]
    for scope, expected in (("team", made), ("mine", [made[place] for place in (0, 2, 3, 5)])):
        seen: list[uuid.UUID] = []
        before, pages = None, 0
        while True:
            page = queries.feed(alice, scope=scope, before=before, limit=2)
            seen += [task.pk for task in page.tasks]
            pages += 1
            before = page.next_before
            if before is None:
                break
        assert seen == expected[::-1]
        assert pages == (len(expected) + 1) // 2


def test_a_full_last_page_knows_that_it_is_the_last(alice: User, key: ProviderKey) -> None:
    for _ in range(4):
        make_task(alice)
    assert queries.feed(alice, limit=4).next_before is None
    assert queries.feed(alice, limit=3).next_before is not None
    assert len(queries.feed(alice, limit=10_000).tasks) == 4
    assert len(queries.feed(alice, limit=-5).tasks) == 1


def test_states_and_search(alice: User, key: ProviderKey) -> None:
    boat = make_task(alice, prompt_text="A paper boat, 100% real")
    owl = make_task(alice, prompt_text="猫头鹰 in the rain", state=TaskState.FAILED)
    lost = make_task(alice, prompt_text="a boat in the rain", state=TaskState.LOST)
    make_task(alice, prompt_text="nothing", state=TaskState.CANCELLED)
    ready = make_task(alice, prompt_text="a cat", state=TaskState.SUCCEEDED)
    found = {
        "boat": [lost, boat],
        "BOAT paper": [boat],
        "猫头": [owl],
        "100%": [boat],
        "%": [boat],
        "_": [],
        "rain boat": [lost],
    }
    for search, tasks in found.items():
        assert queries.feed(alice, search=search).tasks == tasks, search
    assert queries.feed(alice, state="failed").tasks == [lost, owl]
    assert queries.feed(alice, state="ready").tasks == [ready]
    assert queries.feed(alice, state="running", search="boat").tasks == [boat]


@pytest.mark.parametrize("asked", [{"scope": "world"}, {"state": "asleep"}])
def test_unknown_words_are_404(alice: User, asked: dict[str, str]) -> None:
    with pytest.raises(Http404):
        queries.feed(alice, **asked)  # type: ignore[arg-type]
    with pytest.raises(Http404):
        queries.newest_change(alice, "world")


@pytest.mark.parametrize(("scope", "state"), [("mine", ""), ("team", ""), ("team", "ready"), ("mine", "ready")])
def test_a_page_costs_the_same_whatever_it_holds(
    alice: User, bob: User, key: ProviderKey, scope: str, state: str
) -> None:
    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            for task in queries.feed(alice, scope=scope, state=state).tasks:
                shown = (task.owner.username, task.key.label, task.batch.size, task.attempt and task.attempt.state)
                assert all(shown)
                assert [creation.state for creation in task.creations.all()] == ["stored"]
        return len(caught)

    make_creation(make_task(alice, state=TaskState.SUCCEEDED))
    one = cost()
    for owner in (alice, bob) * 6:
        make_creation(make_task(owner, state=TaskState.SUCCEEDED, key=make_key(str(uuid.uuid4()))))
    assert cost() == one
    assert one <= 5


def test_the_cursor_is_one_query(
    alice: User, bob: User, key: ProviderKey, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    now = timezone.now()
    make_task(alice, changed_at=now - timedelta(minutes=1))
    make_task(bob, changed_at=now)
    make_task(bob, changed_at=now + timedelta(hours=1), visibility=PRIVATE)
    with django_assert_num_queries(2):
        assert queries.newest_change(alice, "mine") == now - timedelta(minutes=1)
        assert queries.newest_change(alice, "team") == now
    assert queries.newest_change(bob, "team") == now + timedelta(hours=1)


def test_changes_are_those_after_the_cursor_that_the_page_can_hold(alice: User, bob: User, key: ProviderKey) -> None:
    now = timezone.now()
    old, middle, new = (make_task(alice, changed_at=now + timedelta(seconds=place)) for place in range(3))
    make_task(bob, changed_at=now + timedelta(seconds=5))
    assert queries.changed_since(alice, "mine", now) == [new, middle]
    assert queries.changed_since(alice, "mine", now, oldest=new.pk) == [new]
    assert queries.changed_since(alice, "mine", None) == [new, middle, old]
    assert queries.changed_since(alice, "mine", new.changed_at) == []
    assert len(queries.changed_since(alice, "team", now)) == 3


def test_running_counts_ones_own_open_tasks(alice: User, bob: User, key: ProviderKey) -> None:
    for state in TaskState:
        make_task(alice, state=state)
    make_task(bob)
    assert queries.running_count(alice) == len(TaskState.open()) == 6


def test_places_in_line_are_per_key(
    alice: User, bob: User, key: ProviderKey, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    other = make_key("Workshop")
    first, elsewhere, second = make_task(alice), make_task(bob, key=other), make_task(bob)
    running, third = make_task(alice, state=TaskState.PROCESSING), make_task(alice, visibility=PRIVATE)
    assert [queries.place_in_line(task) for task in (second, first, third, elsewhere)] == [1, 2, 3, 1]
    with django_assert_num_queries(0):
        assert queries.place_in_line(running) is None
    with django_assert_num_queries(2):
        assert queries.places_in_line([third, running, elsewhere]) == {third.pk: 3, elsewhere.pk: 1}


def test_siblings_are_the_tasks_of_one_press(alice: User, bob: User, key: ProviderKey) -> None:
    batch = Batch.objects.create(owner=alice, request_id=uuid.uuid4(), size=3)
    three = [make_task(alice, batch=batch, position=place) for place in (2, 0, 1)]
    make_task(alice)
    assert [task.position for task in queries.siblings(alice, three[0])] == [0, 1, 2]
    Task.objects.filter(pk=three[1].pk).update(visibility=PRIVATE)
    assert [task.position for task in queries.siblings(bob, three[0])] == [1, 2]
    assert len(queries.siblings(alice, three[0])) == 3


@pytest.mark.parametrize("state", ["", "running"])
def test_neighbours_are_those_of_the_list(alice: User, bob: User, key: ProviderKey, state: str) -> None:
    a, hidden, b, theirs, c = (
        make_task(owner, visibility=visibility)
        for owner, visibility in ((alice, "team"), (bob, "private"), (alice, "private"), (bob, "team"), (alice, "team"))
    )
    mine = queries.neighbours(alice, b, state=state)
    assert (mine.older, mine.newer) == (a.pk, c.pk)
    team = queries.neighbours(alice, b, scope="team", state=state)
    assert (team.older, team.newer) == (a.pk, theirs.pk)
    assert hidden.pk not in (team.older, team.newer)
    assert queries.neighbours(alice, c).newer is None
    assert queries.neighbours(alice, a).older is None


PLANS = {
    "team page": lambda user: queries.tasks_for(user).order_by("-pk")[:25],
    "team cursor": lambda user: queries.tasks_for(user).order_by("-changed_at")[:1],
    "own page": lambda user: queries.tasks_for(user).filter(owner=user).order_by("-pk")[:25],
}


@pytest.mark.parametrize("name", PLANS)
def test_pages_are_read_from_an_index_not_sorted(alice: User, name: str) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("reads SQLite's plan")
    plan = PLANS[name](alice).values("pk").explain()
    assert "TEMP B-TREE" not in plan
    assert "MULTI-INDEX OR" not in plan
    assert "INDEX" in plan
