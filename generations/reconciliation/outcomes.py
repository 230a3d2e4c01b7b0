"""What differs: found again it is the same row, found alike it is gone, what a person left as it is stays left."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from generations.models import Difference, DifferenceKind, DifferenceState, ProviderKey, Reconciliation, Task

DECIDED = (DifferenceState.SETTLED, DifferenceState.ADOPTED)
Name = tuple[int, str, str]  # key, kind, the vendor's id


@dataclass(frozen=True, slots=True)
class Found:
    """A difference as this run sees it. ``passed``: seen, and alike again before the run was over."""

    kind: DifferenceKind
    key: ProviderKey
    remote_id: str
    ours: Decimal | None = None
    theirs: Decimal | None = None
    task: Task | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    passed: bool = False

    @property
    def at(self) -> datetime | None:
        return parse_datetime(str(self.facts.get("at") or ""))

    @property
    def name(self) -> Name:
        return (self.key.pk, self.kind.value, self.remote_id)

    @property
    def unit(self) -> str:
        return self.task.unit if self.task else self.key.translator.unit.value


class Known(NamedTuple):
    """What is on record of some tasks: what stands open, and what was left as it is by the last word about it."""

    open: dict[Name, Difference]
    left: dict[Name, Difference]


def hold(keys: Iterable[int], ids: Iterable[str]) -> None:
    """Before the books are read: whoever settles a difference of these tasks comes before that, or after ``write``."""
    list(_on_record(keys, ids).values_list("pk", flat=True))


@transaction.atomic
def write(run: Reconciliation, found: Sequence[Found], compared: Iterable[str]) -> int:
    """Keep what was found, and close what is open about other ``compared`` tasks; returns how many stand open now.

    In a handful of statements however many there are: a leaked key can have made thousands in a week.
    """
    ids = {each.remote_id for each in found} | set(compared)
    now = timezone.now()
    known = _known({each.key.pk for each in found} | {run.key_id}, ids)
    fresh: list[Difference] = []
    again: list[Difference] = []
    left: list[int] = []
    for each in found:
        seen = known.open.pop(each.name, None)
        if seen is None and (decided := known.left.get(each.name)) and _is_like(decided, each):
            left.append(decided.pk)
            continue
        row = _told(seen or Difference(key=each.key, kind=each.kind, remote_id=each.remote_id, found_at=now), run, each)
        if each.passed:
            row.state, row.closed_at = DifferenceState.GONE, now
        (again if row.pk else fresh).append(row)
    fields = ["run", "task", "unit", "happened_at", "ours", "theirs", "facts", "state", "closed_at"]
    Difference.objects.bulk_update(again, fields, batch_size=100)
    Difference.objects.bulk_create(fresh, batch_size=100, ignore_conflicts=True)
    Difference.objects.filter(pk__in=left).update(run=run)  # it was seen again, and this run has to tell of it
    alike = [row.pk for row in known.open.values()]
    Difference.objects.filter(pk__in=alike).update(state=DifferenceState.GONE, closed_at=now, run=run)
    return sum(row.state == DifferenceState.OPEN for row in (*again, *fresh))


def _on_record(keys: Iterable[int], ids: Iterable[str]) -> QuerySet[Difference]:
    return Difference.objects.select_for_update().filter(key__in=list(keys), remote_id__in=list(ids)).order_by("pk")


def _known(keys: Iterable[int], ids: Iterable[str]) -> Known:
    """Only what was *left* explains that it is found again: after a row was booked, the same figures are news."""
    known = Known({}, {})
    for row in _on_record(keys, ids).exclude(state=DifferenceState.GONE):
        name = (row.key_id, row.kind, row.remote_id)
        if row.state == DifferenceState.OPEN:
            known.open[name] = row
        elif row.is_left and row.kind != DifferenceKind.BALANCE:  # the next gap is another one, though it be as wide
            known.left[name] = row
        else:
            known.left.pop(name, None)
    return known


def _is_like(left: Difference, found: Found) -> bool:
    """Whether it is what somebody looked at then: the same amounts, and where the state was the point, the same."""
    same = (left.ours, left.theirs) == (found.ours, found.theirs)
    if found.kind == DifferenceKind.AMOUNT:
        return same
    return same and all(left.facts.get(name) == found.facts.get(name) for name in ("state", "here"))


def _told(row: Difference, run: Reconciliation, found: Found) -> Difference:
    row.run, row.task, row.unit, row.happened_at = run, found.task, found.unit, found.at
    row.ours, row.theirs, row.facts = found.ours, found.theirs, {**row.facts, **found.facts}
    return row
