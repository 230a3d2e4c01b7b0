"""What may still be spent: by a key, a person, a team, in a day or month of the books.

Used is what was spent in the period and what is held for what is still open: it will be spent in it. A hold that a
silent vendor left behind counts in the period in which its task ended, until somebody settles it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Q, Sum

from generations import totals
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


class OverBudget(Exception):
    """Nothing was made: the press does not fit into this budget."""

    def __init__(self, standing: "Standing") -> None:
        super().__init__(f"over budget {standing.budget.pk}")
        self.standing = standing


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget as it is used now."""

    budget: Budget
    spent: Decimal
    held: Decimal

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


def standing(budget: Budget) -> Standing:
    start = period_start(budget)
    rows = LedgerTotal.objects.filter(_of(budget), grain=budget.period, starts_on=start, unit=budget.unit)
    spent = rows.filter(kind__in=SPENT).aggregate(sum=Sum("amount"))["sum"] or ZERO
    return Standing(budget, spent, _held(budget, start))


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
    if budget.key_id:
        mine = Q(key__in=list(families([budget.key_id])))
    else:
        mine = Q(owner=budget.person_id) if budget.person_id else Q(owner__groups=budget.team_id)
    tasks = Task.objects.filter(mine)
    counted = (
        tasks.filter(state__in=TaskState.open()),
        tasks.filter(charge=None, finished_at__gte=totals.starts_at(start)),
    )
    held = Sum("usage__amount", filter=Q(usage__kind__in=HELD, usage__unit=budget.unit))
    return sum((part.aggregate(sum=held)["sum"] or ZERO for part in counted), ZERO)


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


def check(found: Iterable[Standing], tasks: Iterable[Task]) -> Iterator[Standing]:
    """Those budgets that are too small for these tasks."""
    amount = cost_of(tasks)
    return (each for each in found if not each.has_room_for(amount))


def cost_of(tasks: Iterable[Task]) -> Decimal | None:
    """What new tasks are estimated to cost in their vendor's unit; None when nobody knows."""
    total = ZERO
    for task in tasks:
        if task.estimate is None or (task.estimate_unit or task.unit) != task.unit:
            return None
        total += task.estimate
    return total


def override(over: Iterable[Standing], batch: Batch, actor: User, reason: str, amount: Decimal | None) -> None:
    """Let one press through, and keep who did it and why."""
    BudgetOverride.objects.bulk_create(
        BudgetOverride(budget=each.budget, batch=batch, actor=actor, reason=reason, amount=amount) for each in over
    )
