"""What an administrator does about a difference: one decision, one row of the ledger, once."""

from decimal import Decimal
from typing import NamedTuple

from django.db import transaction
from django.db.models import Count, QuerySet, Sum
from django.utils import timezone

from generations import ledger, lifecycle, totals
from generations.ledger import Stranger
from generations.models import (
    Difference,
    DifferenceKind,
    DifferenceState,
    EntrySource,
    Reconciliation,
    Task,
    TaskState,
    UsageEntry,
    User,
)
from generations.providers.base import FINAL
from generations.reconciliation import balance
from generations.reconciliation.compare import booked_externals
from generations.reconciliation.verdicts import RUNNING

CHUNK = 500
ENDED = tuple(state.value for state in FINAL)
BOOK, RELEASE, ASK, KEEP, TOP_UP = "book", "release", "ask", "keep", "top-up"


class Cannot(Exception):
    """This cannot be done about that difference, as it stands now; for some reasons the pages have a sentence."""


def ways(difference: Difference) -> list[str]:
    """What can be done about it; the first one is what is proposed."""
    if difference.state != DifferenceState.OPEN:
        return []
    told = difference.theirs is not None
    match difference.kind:
        case DifferenceKind.AMOUNT:
            return [BOOK, KEEP] if told else [KEEP]
        case DifferenceKind.THEIRS:
            # What ended without a word about its price will never have one.
            return [BOOK] if told else [KEEP] * (difference.facts.get("state") in ENDED)
        case DifferenceKind.OURS:
            return [RELEASE, ASK]
        case DifferenceKind.STATE:
            return [ASK, KEEP]
        case DifferenceKind.BALANCE:
            return [TOP_UP if _grew(difference) else BOOK, KEEP]
    return []


def settle(
    difference: Difference, how: str, actor: User, reason: str = "", shown: str | None = None
) -> UsageEntry | None:
    """Settle it by a row of the ledger, which is returned; None where none is needed, or it is settled already.

    ``shown``: the ``figures`` that the person saw. Raises Cannot, and changes nothing.
    """
    reason = reason.strip()
    with transaction.atomic():
        row = (
            Difference.objects.select_for_update(of=("self",))
            .select_related("key", "task__key", "run")
            .get(pk=difference.pk)
        )
        if row.state != DifferenceState.OPEN:
            return None
        _check(row, how, reason, shown)
        if how == ASK:
            _ask(row, actor)
            return None
        # Whoever changes the row first writes the ledger; the other one finds it closed.
        mine = Difference.objects.filter(pk=row.pk, state=DifferenceState.OPEN)
        if not mine.update(state=DifferenceState.SETTLED, closed_at=timezone.now(), closed_by=actor):
            return None
        entry = None if how == KEEP else _book(row, how, actor, reason or f"reconciliation {row.run_id}")
        facts = row.facts | {"how": how} | ({"reason": reason} if reason else {})
        Difference.objects.filter(pk=row.pk).update(entry=entry, facts=facts)
        return entry


def _check(row: Difference, how: str, reason: str, shown: str | None) -> None:
    if shown is not None and shown != row.figures:
        raise Cannot("changed")
    if how not in ways(row):
        raise Cannot(how)
    if how == KEEP and not reason:  # the books go on differing, and whoever reads them will want to know why
        raise Cannot("reason")


def _book(row: Difference, how: str, actor: User, reason: str) -> UsageEntry | None:
    """Bring the books to the vendor's word, from what they say now: rows may have come since the run."""
    theirs = row.theirs or Decimal(0)
    match row.kind:
        case DifferenceKind.THEIRS:
            told = _stranger(row)
            return ledger.external(row.key, told.remote_id, told.amount, told.at, model=told.model, note=told.note)
        case DifferenceKind.OURS if row.task:
            return _free(row.task, actor, reason)
        case DifferenceKind.AMOUNT if row.task:
            return _correct(row.task, theirs, reason, EntrySource.VENDOR, actor)
        case DifferenceKind.BALANCE:
            missing = theirs - balance.booked_now(row)
            if missing and (missing < 0) != (how == TOP_UP):
                raise Cannot("changed")
            if missing < 0:
                return ledger.top_up(row.key, -missing, reason, actor)
        case _:
            missing = theirs - booked_externals(row.key, [row.remote_id]).get(row.remote_id, Decimal(0))
    return ledger.adjust(row.key, missing, reason, actor, reference=row.remote_id) if missing else None


def _correct(task: Task, amount: Decimal, reason: str, source: EntrySource, actor: User) -> UsageEntry | None:
    """A task that is open will be settled by itself, and then by another amount perhaps."""
    entry = lifecycle.correct_charge(task, amount, reason, source=source, actor=actor)
    if entry is None and not Task.objects.filter(pk=task.pk, state__in=totals.ENDED).exists():
        raise Cannot("under way")
    return entry


def _grew(row: Difference) -> bool:
    """Whether more is left on the account than our books say: something was bought, or given back."""
    return (row.theirs or Decimal(0)) < (row.ours or Decimal(0))


def _free(task: Task, actor: User, reason: str) -> UsageEntry | None:
    """The vendor never made it, or does not know it: it ends if it runs, costs nothing, and holds nothing."""
    if task.state in RUNNING:
        lifecycle.give_up(task, actor)
    elif task.state == TaskState.ARCHIVING:
        raise Cannot("under way")
    return _correct(task, Decimal(0), reason, EntrySource.ADMIN, actor)


def _ask(row: Difference, actor: User) -> None:
    if row.task is None or not lifecycle.ask_now(row.task, actor):
        raise Cannot("nobody to ask")


def _stranger(row: Difference) -> Stranger:
    """At the vendor's own time, so that it counts in the day and month in which it was spent."""
    at = row.happened_at or row.found_at
    note = f"{row.facts.get('prompt_length') or 0} characters of prompt, {row.facts.get('state', '')}"
    return Stranger(row.remote_id, row.theirs or Decimal(0), at, str(row.facts.get("model") or ""), note)


# --- All that was made elsewhere -------------------------------------------------------------------------------


def acceptable(run: Reconciliation) -> QuerySet[Difference]:
    """What one press books as spent by somebody else: tasks that have ended and whose amount the vendor named."""
    found = run.seen.filter(kind=DifferenceKind.THEIRS, state=DifferenceState.OPEN, theirs__isnull=False)
    return found.exclude(facts__state__in=("queued", "processing")).order_by("pk")


class Acceptable(NamedTuple):
    """How many, and their sum in the key's unit."""

    number: int
    amount: Decimal

    @property
    def figures(self) -> str:
        """Both as a page posts them back."""
        return f"{self.number} {self.amount.normalize():f}"


def acceptable_now(run: Reconciliation) -> Acceptable:
    found = acceptable(run).order_by().aggregate(number=Count("pk"), amount=Sum("theirs"))
    return Acceptable(found["number"], found["amount"] or Decimal(0))


def accept_all(run: Reconciliation, actor: User, shown: str | None = None) -> tuple[int, Decimal]:
    """Book them all, a chunk in a transaction; returns how many that were, and their sum in the key's unit.

    ``shown``: the ``figures`` that the person saw. Raises Cannot, and books nothing, where they are others by now.
    """
    if shown is not None and shown != acceptable_now(run).figures:
        raise Cannot("changed")
    number, amount = 0, Decimal(0)
    while rows := list(acceptable(run).values_list("pk", flat=True)[:CHUNK]):
        booked = _accept(run, rows, actor)
        number, amount = number + len(booked), amount + sum(booked, Decimal(0))
    return number, amount


@transaction.atomic
def _accept(run: Reconciliation, pks: list[int], actor: User) -> list[Decimal]:
    rows = list(Difference.objects.select_for_update().filter(pk__in=pks, state=DifferenceState.OPEN))
    entries = ledger.externals(run.key, [_stranger(row) for row in rows])
    now = timezone.now()
    for row in rows:
        row.state, row.closed_at, row.closed_by, row.entry = DifferenceState.SETTLED, now, actor, entries[row.remote_id]
    Difference.objects.bulk_update(rows, ["state", "closed_at", "closed_by", "entry"], batch_size=100)
    # What stands on another key of the account already was not booked by this press.
    return [entry.amount for row in rows if (entry := entries[row.remote_id]).key_id == run.key_id]
