"""What may still be spent: by a key, a person, a team, in a day or month of the books.

Used is what was spent in the period and what is held for what is still open: it will be spent in it. A hold that a
silent vendor left behind counts in the period in which its task ended, until somebody settles it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import F, Q, Sum

from generations import ledger, totals
from generations.ledger import HELD, SPENT
from generations.models import (
    Batch,
    Budget,
    BudgetOverride,
    LedgerTotal,
    Period,
    ProviderKey,
    Task,
    TaskState,
    User,
)

ZERO = Decimal(0)
LATEST = 500  # clips of a key; what was charged before that is no price any more


class OverBudget(Exception):
    """Nothing was made: the press does not fit into this budget, or nobody can say whether it does (``unpriced``)."""

    def __init__(self, standing: "Standing", *, unpriced: bool = False) -> None:
        super().__init__(f"over budget {standing.budget.pk}")
        self.standing, self.unpriced = standing, unpriced


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget as it is used now."""

    budget: Budget
    spent: Decimal
    held: Decimal
    start: date | None = None  # of its period; None is the one that goes on

    @property
    def used(self) -> Decimal:
        return self.spent + self.held

    @property
    def percent(self) -> Decimal:
        """Of the limit; a limit of nothing is used up by definition."""
        return 100 * self.used / self.budget.limit if self.budget.limit else Decimal(100)

    @property
    def left(self) -> Decimal | None:
        """Until new work is stopped, never below zero; None where it is not."""
        if self.budget.block_at is None:
            return None
        return max(ZERO, self.budget.limit * self.budget.block_at / 100 - self.used)

    def has_room_for(self, amount: Decimal | None) -> bool:
        """Whether new work fits. Where its price is unknown, something must be left."""
        left = self.left
        return left is None or (left > 0 if amount is None else amount <= left)


def period_start(budget: Budget) -> date:
    today = totals.today()
    return today if budget.period == Period.DAY else totals.month_of(today)


def period_end(budget: Budget) -> date:
    """The first day that is not in it any more."""
    start = period_start(budget)
    return start + timedelta(days=1) if budget.period == Period.DAY else totals.next_month(start)


def period_before(budget: Budget) -> date:
    """The first day of the period that ended last."""
    yesterday = period_start(budget) - timedelta(days=1)
    return yesterday if budget.period == Period.DAY else totals.month_of(yesterday)


def standing(budget: Budget, earlier: date | None = None) -> Standing:
    """As it is now, or as it was at the end of an ``earlier`` period, named by its first day."""
    start = earlier or period_start(budget)
    rows = LedgerTotal.objects.filter(_of(budget), grain=budget.period, starts_on=start, unit=budget.unit)
    spent = rows.filter(kind__in=SPENT).aggregate(sum=Sum("amount"))["sum"] or ZERO
    return Standing(budget, spent, _held(budget, start), earlier)


def families(key_ids: Iterable[int]) -> dict[int, int]:
    """Each of these keys, and each that it replaced, with the key whose budget it counts in: a new secret is no new
    money.
    """
    replaced = dict(ProviderKey.objects.filter(replaces__isnull=False).values_list("pk", "replaces_id"))
    found: dict[int, int] = {}
    for key_id in key_ids:
        member: int | None = key_id
        while member is not None and member not in found:
            found[member] = key_id
            member = replaced.get(member)
    return found


def _latest(key: ProviderKey) -> int:
    """The key that has this one's budgets: the last of those that replaced it."""
    by = dict(ProviderKey.objects.filter(replaces__isnull=False).values_list("replaces_id", "pk"))
    found, seen = key.pk, set[int]()
    while found in by and found not in seen:
        seen.add(found)
        found = by[found]
    return int(found)


def same_money(key: ProviderKey, other: ProviderKey) -> bool:
    """Whether both count in the same budgets of keys."""
    return _latest(key) == _latest(other)


def _of(budget: Budget) -> Q:
    """The rows that a budget counts, in any table that has a key and a person."""
    if budget.key_id:
        return Q(key__in=list(families([budget.key_id])))
    return Q(person=budget.person_id) if budget.person_id else Q(person__groups=budget.team_id)


def _held(budget: Budget, start: date) -> Decimal:
    # From the tasks to their rows: there are few open ones, however long the ledger is.
    tasks = Task.objects.filter(_tasks_of(budget))
    counted = (
        tasks.filter(state__in=TaskState.open()),
        tasks.filter(charge=None, finished_at__gte=totals.starts_at(start)),
    )
    held = Sum("usage__amount", filter=Q(usage__kind__in=HELD, usage__unit=budget.unit))
    return sum((part.aggregate(sum=held)["sum"] or ZERO for part in counted), ZERO)


def _tasks_of(budget: Budget) -> Q:
    if budget.key_id:
        return Q(key__in=list(families([budget.key_id])))
    return Q(owner=budget.person_id) if budget.person_id else Q(owner__groups=budget.team_id)


def budgets_for(owner: User | None, key: ProviderKey) -> list[Budget]:
    """Those that a task of this person on this key counts in. ``owner`` None: those of the key alone."""
    scope = Q(key=_latest(key))
    if owner is not None:
        scope |= Q(person=owner) | Q(team__in=owner.groups.all())
    found = Budget.objects.filter(scope, active=True, unit=key.translator.unit)
    return list(found.select_related("key", "person", "team"))


def standings(owner: User | None, key: ProviderKey) -> list[Standing]:
    """The tightest first."""
    found = [standing(budget) for budget in budgets_for(owner, key)]
    return sorted(found, key=lambda each: (each.left is None, each.left or ZERO))


def tightest(owner: User | None, key: ProviderKey) -> Standing | None:
    """The budget of which the least is left before new work stops; None where nothing would stop it."""
    return next((each for each in standings(owner, key) if each.left is not None), None)


# --- In the transaction of a press ---------------------------------------------------------------------------


def lock(owner: User | None, key: ProviderKey) -> list[Standing]:
    """How the budgets stand, with their rows locked: two presses at the same moment see each other's holds."""
    ids = [budget.pk for budget in budgets_for(owner, key)]
    list(Budget.objects.select_for_update().filter(pk__in=ids).order_by("pk").values_list("pk"))
    return standings(owner, key)


def check(found: Iterable[Standing], tasks: Sequence[Task]) -> Iterator[OverBudget]:
    """Those budgets that are too small for these tasks.

    Where nobody knows what they cost, one is let through at a time: else a budget would limit nothing at a vendor
    without prices, until all the bills have come.
    """
    amount = cost_of(tasks)
    for each in found:
        if not each.has_room_for(amount):
            yield OverBudget(each)
        elif amount is None and each.left is not None and (len(tasks) > 1 or _is_guessing(each.budget, tasks)):
            yield OverBudget(each, unpriced=True)


def _is_guessing(budget: Budget, beside: Iterable[Task]) -> bool:
    """Whether something is under way already of which nobody knows what it will cost."""
    unknown = Q(estimate=None) | ~Q(estimate_unit__in=("", F("unit")))
    tasks = Task.objects.filter(_tasks_of(budget), unknown, state__in=TaskState.open(), charge=None, unit=budget.unit)
    held = Sum("usage__amount", filter=Q(usage__kind__in=HELD, usage__unit=budget.unit), default=ZERO)
    return tasks.exclude(pk__in=[task.pk for task in beside]).annotate(held=held).filter(held=0).exists()


def cost_of(tasks: Iterable[Task]) -> Decimal | None:
    """What new tasks will cost in their vendor's unit, by its prices or by experience; None when nobody knows."""
    total = ZERO
    for task in tasks:
        amount = task.estimate if is_priced(task) else _held_for(task)
        if amount is None:
            return None
        total += amount
    return total


def is_priced(task: Task) -> bool:
    """Whether the estimate is in the unit in which the vendor will charge."""
    return task.estimate is not None and (task.estimate_unit or task.unit) == task.unit


def _held_for(task: Task) -> Decimal | None:
    held = sum((hold.amount for hold in ledger.holds(task) if hold.unit == task.unit), ZERO)
    return held or None


def usual_charge(task: Task) -> Decimal | None:
    """The most that one of the key's latest clips of the same kind was charged; None when there was none."""
    made = Task.objects.filter(key=task.key_id, state=TaskState.SUCCEEDED).order_by("-pk")
    kind = (task.model, task.mode, task.resolution, task.duration, task.audio, task.off_peak)
    fields = ("model", "mode", "resolution", "duration", "audio", "off_peak", "charge")
    latest = made.filter(unit=task.unit, charge__isnull=False).values_list(*fields)[:LATEST]
    return max((charge for *of, charge in latest if tuple(of) == kind), default=None)


def override(over: Iterable[OverBudget], batch: Batch, actor: User, reason: str, amount: Decimal | None) -> None:
    """Let one press through, and keep who did it and why."""
    BudgetOverride.objects.bulk_create(
        BudgetOverride(budget=each.standing.budget, batch=batch, actor=actor, reason=reason, amount=amount)
        for each in over
    )
