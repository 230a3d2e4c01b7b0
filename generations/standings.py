"""How many budgets stand, in a number of queries that does not grow with them; ``budgets.standing`` asks for one."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Q, Sum

from generations import totals
from generations.budgets import ZERO, Standing, families
from generations.ledger import HELD, SPENT
from generations.models import Budget, Grain, LedgerTotal, Task, TaskState

Cell = tuple[int, str]  # whose, unit


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where a budget's owner is found: its own column, that of the sums, that of tasks."""

    of_budget: str
    of_sums: str
    of_tasks: str


SCOPES = (
    _Scope("key_id", "key_id", "key_id"),
    _Scope("person_id", "person_id", "owner_id"),
    _Scope("team_id", "person__groups", "owner__groups"),
)


def all_of(budgets: Iterable[Budget]) -> list[Standing]:
    """In the order given."""
    given = list(budgets)
    found: dict[int, Standing] = {}
    for scope in SCOPES:
        mine = [budget for budget in given if getattr(budget, scope.of_budget)]
        if mine:
            found |= _of_scope(scope, mine)
    return [found[budget.pk] for budget in given]


def _of_scope(scope: _Scope, budgets: list[Budget]) -> Mapping[int, Standing]:
    owners = {getattr(budget, scope.of_budget): getattr(budget, scope.of_budget) for budget in budgets}
    if scope.of_budget == "key_id":
        owners = families(owners)
    today = totals.today()
    starts = {Grain.DAY.value: today, Grain.MONTH.value: totals.month_of(today)}
    spent = _spent(scope, owners, starts)
    running = _held(scope, owners, Q(state__in=TaskState.open()))
    # Said so, it is the condition of an index in which only these tasks stand.
    ended = Q(charge=None, finished_at__isnull=False) & ~Q(state__in=TaskState.open())
    left_behind = {
        grain: _held(scope, owners, ended & Q(finished_at__gte=totals.starts_at(start)))
        for grain, start in starts.items()
        if any(budget.period == grain for budget in budgets)
    }
    found = {}
    for budget in budgets:
        cell = (getattr(budget, scope.of_budget), str(budget.unit))
        held = running.get(cell, ZERO) + left_behind[budget.period].get(cell, ZERO)
        found[budget.pk] = Standing(budget, spent.get((*cell, budget.period), ZERO), held)
    return found


def _spent(scope: _Scope, owners: Mapping[int, int], starts: Mapping[str, date]) -> dict[tuple[int, str, str], Decimal]:
    periods = Q()
    for grain, start in starts.items():
        periods |= Q(grain=grain, starts_on=start)
    rows = LedgerTotal.objects.filter(periods, kind__in=SPENT, **{f"{scope.of_sums}__in": owners})
    summed = rows.order_by().values_list(scope.of_sums, "unit", "grain").annotate(sum=Sum("amount"))
    found: dict[tuple[int, str, str], Decimal] = defaultdict(Decimal)
    for owner, unit, grain, amount in summed:
        found[owners[owner], unit, grain] += amount
    return found


def _held(scope: _Scope, owners: Mapping[int, int], which: Q) -> dict[Cell, Decimal]:
    """Of everybody, and added up here: few tasks are open or unclear, but asked by owner or for sums by owner, a
    database would look through all that they ever made.
    """
    rows = Task.objects.filter(which).order_by()
    held: dict[Cell, Decimal] = defaultdict(Decimal)
    for owner, unit, kind, amount in rows.values_list(scope.of_tasks, "usage__unit", "usage__kind", "usage__amount"):
        if kind in HELD and owner in owners:
            held[owners[owner], unit] += amount
    return held
