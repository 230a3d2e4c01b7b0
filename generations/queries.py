"""What may this person see? Every page and every file asks here; what is not theirs does not exist (404).

Task ids are UUIDv7, so their order is the order in which Generate was pressed, and pages are cut by id.
"""

import heapq
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404

from generations.models import Asset, Creation, CreationState, Task, TaskState, User, Visibility

MINE, TEAM = "mine", "team"
SCOPES = (MINE, TEAM)
STATES: dict[str, tuple[TaskState, ...]] = {
    "": (),
    "running": TaskState.open(),
    "ready": (TaskState.SUCCEEDED,),
    "failed": (TaskState.FAILED, TaskState.LOST),
}
MAX_PAGE = 100


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Newest first. ``next_before`` is where the next page begins, None on the last one."""

    tasks: list[Task]
    next_before: UUID | None


@dataclass(frozen=True, slots=True)
class PicturePage:
    """Newest first. ``next_before`` is where the next page begins, None on the last one."""

    pictures: list[Asset]
    next_before: UUID | None


@dataclass(frozen=True, slots=True)
class Neighbours:
    newer: UUID | None
    older: UUID | None


def tasks_for(user: User) -> QuerySet[Task]:
    """All a person may see: their own, what everybody or one of their teams may see, and for staff everything.

    Said as "not what is hidden and somebody else's": with an OR the database would collect and sort everything
    visible for each page (70 ms instead of 0.1 at 400,000 tasks), where this one walks an index from its end.
    """
    if user.is_staff:
        return Task.objects.all()
    hidden = Q(visibility=Visibility.PRIVATE) | _other_teams(user)
    return Task.objects.exclude(hidden & _of_others(user))


def opens_for(user: User, task: Task) -> bool:
    """The same of one task that is at hand; lists of rows ask it for each of them."""
    shared = task.visibility == Visibility.TEAM and (task.team_id is None or task.team_id in user.team_ids)
    return user.is_staff or shared or task.is_of(user)


def _other_teams(user: User) -> Q:
    return Q(team__isnull=False) & ~Q(team__in=user.groups.values("pk"))


def _of_others(user: User) -> Q:
    """Neither theirs nor left to them by somebody who went."""
    return ~Q(owner=user) & ~_left_to(user)


def _left_to(user: User) -> Q:
    return Q(owner__in=User.objects.filter(successor=user).values("pk"))


def get_task(user: User, pk: UUID) -> Task:
    return get_object_or_404(_with_relations(tasks_for(user)), pk=pk)


def get_creation(user: User, pk: UUID) -> Creation:
    return get_object_or_404(Creation.objects.select_related("task"), pk=pk, task__in=tasks_for(user))


def stored_clip(task: Task) -> Creation | None:
    """The first of a task's outputs of which we have our own copy, the plain one before a watermarked one."""
    made = (each for each in task.creations.all() if each.state == CreationState.STORED)
    return min(made, key=lambda each: (each.watermarked, each.position), default=None)


def assets_for(user: User) -> QuerySet[Asset]:
    """Their own pictures, and those that went into a task they may see."""
    used = tasks_for(user).filter(inputs=OuterRef("pk"))
    return Asset.objects.filter(Q(owner=user) | _left_to(user) | Exists(used))


def get_asset(user: User, pk: UUID) -> Asset:
    return get_object_or_404(assets_for(user), pk=pk)


def own_pictures(user: User, *, before: UUID | None = None, limit: int = 24) -> PicturePage:
    """What they uploaded or took out of clips, to be used again."""
    pictures = Asset.objects.filter(owner=user).order_by("-pk")
    found = list((pictures.filter(pk__lt=before) if before else pictures)[: limit + 1])
    return PicturePage(found[:limit], found[limit - 1].pk if len(found) > limit else None)


def feed(
    user: User,
    *,
    scope: str = MINE,
    state: str = "",
    search: str = "",
    before: UUID | None = None,
    limit: int = 24,
) -> FeedPage:
    """One page of the feed in a fixed number of queries. Unknown scopes and states raise Http404."""
    limit = max(1, min(limit, MAX_PAGE))
    wanted = _wanted(state, search) & (Q(pk__lt=before) if before else Q())
    ids = _newest_ids(_branches(user, scope, state), wanted, limit + 1)
    tasks = list(_with_relations(Task.objects.filter(pk__in=ids[:limit])).order_by("-pk"))
    return FeedPage(tasks, ids[limit - 1] if len(ids) > limit else None)


def neighbours(user: User, task: Task, *, scope: str = MINE, state: str = "", search: str = "") -> Neighbours:
    """The clips before and after this one in the list it was opened from."""
    wanted, branches = _wanted(state, search), _branches(user, scope, state)
    newer = [
        branch.filter(wanted, pk__gt=task.pk).order_by("pk").values_list("pk", flat=True).first() for branch in branches
    ]
    older = _newest_ids(branches, wanted & Q(pk__lt=task.pk), 1)
    return Neighbours(min((pk for pk in newer if pk), default=None), older[0] if older else None)


def newest_change(user: User, scope: str = MINE) -> datetime | None:
    """When anything in this scope last changed: the live view's cursor, in one indexed query."""
    return _visible(user, scope).order_by("-changed_at").values_list("changed_at", flat=True).first()


def changed_since(user: User, scope: str, cursor: datetime | None, *, oldest: UUID | None = None) -> list[Task]:
    """Tasks that changed after ``cursor`` and that a page showing everything down to ``oldest`` can hold."""
    changed = _visible(user, scope).order_by("-pk")
    if cursor is not None:
        changed = changed.filter(changed_at__gt=cursor)
    if oldest is not None:
        changed = changed.filter(pk__gte=oldest)
    return list(_with_relations(changed)[:MAX_PAGE])


def running_count(user: User) -> int:
    """How many of their own tasks are still under way."""
    return Task.objects.filter(owner=user, state__in=TaskState.open()).count()


def places_in_line(tasks: Iterable[Task]) -> dict[UUID, int]:
    """For those that wait: their place, from 1, in the turn that the dispatcher takes. At most two queries.

    It takes the oldest task of whoever has least under way on the key; what follows is what it will do if nothing
    ends meanwhile.
    """
    waiting = {task.pk: task.key_id for task in tasks if task.state == TaskState.WAITING}
    if not waiting:
        return {}
    of_keys = Task.objects.filter(key__in=set(waiting.values()))
    lines: dict[int, dict[int, deque[UUID]]] = {}
    queue = of_keys.filter(state=TaskState.WAITING).order_by("pk")
    for pk, key_id, owner_id in queue.values_list("pk", "key_id", "owner_id"):
        lines.setdefault(key_id, {}).setdefault(owner_id, deque()).append(pk)
    running = of_keys.filter(state__in=TaskState.in_flight()).order_by().values_list("key_id", "owner_id")
    under_way = Counter(running.iterator())
    places: dict[UUID, int] = {}
    for key_id, line in lines.items():
        counts = {owner_id: under_way[key_id, owner_id] for owner_id in line}
        places |= {pk: place for place, pk in enumerate(_in_turn(line, counts), 1) if pk in waiting}
    return places


def waiting_of(user: User, scope: str) -> QuerySet[Task]:
    """What waits for a slot and this person can see, newest first, as much as a page can hold."""
    return _visible(user, scope).filter(state=TaskState.WAITING).order_by("-pk")[:MAX_PAGE]


def with_relations(tasks: Sequence[Task]) -> list[Task]:
    """The same tasks with everything that a card shows, in a fixed number of queries."""
    return list(_with_relations(Task.objects.filter(pk__in=[task.pk for task in tasks]).order_by("-pk")))


def _in_turn(line: Mapping[int, deque[UUID]], under_way: Mapping[int, int]) -> Iterator[UUID]:
    """Everybody's waiting tasks in the order of dispatch: who has least comes first, then the older task."""
    heap = [(under_way[owner_id], mine[0], owner_id) for owner_id, mine in line.items()]
    heapq.heapify(heap)
    while heap:
        number, pk, owner_id = heapq.heappop(heap)
        yield pk
        line[owner_id].popleft()
        if line[owner_id]:
            heapq.heappush(heap, (number + 1, line[owner_id][0], owner_id))


def place_in_line(task: Task) -> int | None:
    return places_in_line([task]).get(task.pk)


def siblings(user: User, task: Task) -> list[Task]:
    """The tasks of the same press of Generate, this one among them, as far as this person may see them."""
    return list(_with_relations(tasks_for(user).filter(batch=task.batch_id)).order_by("position"))


def _with_relations(tasks: QuerySet[Task]) -> QuerySet[Task]:
    """Everything a card shows, so that a page of cards costs as many queries as one card."""
    return tasks.select_related("owner", "team", "key", "attempt", "batch").prefetch_related("creations")


def _visible(user: User, scope: str) -> QuerySet[Task]:
    if scope not in SCOPES:
        raise Http404(f"no such scope: {scope}")
    return Task.objects.filter(owner=user) if scope == MINE else tasks_for(user)


def _branches(user: User, scope: str, state: str) -> Sequence[QuerySet[Task]]:
    """``_visible`` in parts of which each follows one index in id order.

    Only a state makes more than one part necessary: the indexes by state begin with owner or visibility.
    """
    visible = _visible(user, scope)
    if scope == MINE or not state:
        return (visible,)
    of_each = [Task.objects.filter(visibility=each) for each in (Visibility.TEAM, Visibility.PRIVATE)]
    if user.is_staff:
        return of_each
    shared, private = of_each
    shared = shared.exclude(_other_teams(user) & _of_others(user))
    return (shared, private.filter(owner=user), private.filter(_left_to(user)))


def _newest_ids(branches: Sequence[QuerySet[Task]], wanted: Q, limit: int) -> list[UUID]:
    found: set[UUID] = set()
    for tasks in branches:
        found.update(tasks.filter(wanted).order_by("-pk").values_list("pk", flat=True)[:limit])
    return heapq.nlargest(limit, found)


def _wanted(state: str, search: str) -> Q:
    """Chosen states, and every searched word somewhere in the prompt."""
    if state not in STATES:
        raise Http404(f"no such state: {state}")
    wanted = Q(state__in=STATES[state]) if STATES[state] else Q()
    for word in islice(search.split(), 8):
        wanted &= Q(prompt_text__icontains=word)
    return wanted
