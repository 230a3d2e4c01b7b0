"""What differs: found again it is the same row, found alike it is gone, what a person settled stays settled."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
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


@transaction.atomic
def write(run: Reconciliation, found: Sequence[Found], compared: Iterable[str]) -> int:
    """Keep what was found, and close what is open about other ``compared`` tasks; returns how many stand open now.

    In a handful of statements however many there are: a leaked key can have made thousands in a week.
    """
    ids = {each.remote_id for each in found} | set(compared)
    now = timezone.now()
    known = Difference.objects.select_for_update().filter(
        key__in={each.key.pk for each in found} | {run.key_id}, remote_id__in=ids
    )
    open_now: dict[Name, Difference] = {}
    decided = set()
    for row in known.exclude(state=DifferenceState.GONE):
        name = (row.key_id, row.kind, row.remote_id)
        if row.state == DifferenceState.OPEN:
            open_now[name] = row
        elif row.kind != DifferenceKind.BALANCE:  # the next gap is another one, though it be as wide
            decided.add((name, row.ours, row.theirs))
    fresh: list[Difference] = []
    again: list[Difference] = []
    standing = 0
    for each in found:
        seen = open_now.pop(each.name, None)
        if seen is None and (each.name, each.ours, each.theirs) in decided:
            continue
        row = seen or Difference(key=each.key, kind=each.kind, remote_id=each.remote_id, found_at=now)
        row.run, row.task, row.unit, row.happened_at = run, each.task, each.unit, each.at
        row.ours, row.theirs, row.facts = each.ours, each.theirs, {**row.facts, **each.facts}
        if each.passed:
            row.state, row.closed_at = DifferenceState.GONE, now
        standing += not each.passed
        (again if row.pk else fresh).append(row)
    fields = ["run", "task", "unit", "happened_at", "ours", "theirs", "facts", "state", "closed_at"]
    Difference.objects.bulk_update(again, fields, batch_size=100)
    Difference.objects.bulk_create(fresh, batch_size=100, ignore_conflicts=True)
    alike = [row.pk for row in open_now.values()]
    Difference.objects.filter(pk__in=alike).update(state=DifferenceState.GONE, closed_at=now, run=run)
    return standing
