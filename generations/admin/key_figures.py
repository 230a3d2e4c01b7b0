"""What a page of keys shows besides the keys: spent this month, budgets, what runs. Some queries, however many keys."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from django.db.models import Count, Sum
from django.template.loader import render_to_string
from django.urls import reverse

from generations import standings, totals, words
from generations.budgets import Standing
from generations.ledger import SPENT
from generations.models import Budget, Grain, LedgerTotal, ProviderKey, Task, TaskState

Spent = dict[str, Decimal]  # by unit


def attach(keys: Iterable[ProviderKey]) -> None:
    """Give each key its ``month_spent``, ``month_budgets`` and ``in_flight``."""
    given = list(keys)
    spent, budgets, running = _spent(given), _budgets(given), _running(given)
    for key in given:
        figures = {"month_spent": spent[key.pk], "month_budgets": budgets[key.pk], "in_flight": running.get(key.pk, 0)}
        key.__dict__.update(figures)


def in_flight(key: ProviderKey) -> int:
    if "in_flight" not in key.__dict__:
        attach([key])
    return int(key.__dict__["in_flight"])


def _spent(keys: list[ProviderKey]) -> dict[int, Spent]:
    month = totals.month_of(totals.today())
    rows = LedgerTotal.objects.filter(grain=Grain.MONTH, starts_on=month, key__in=keys, kind__in=SPENT)
    found: dict[int, Spent] = defaultdict(dict)
    for key, unit, amount in rows.order_by().values_list("key_id", "unit").annotate(Sum("amount")):
        found[key][unit] = amount
    return found


def _budgets(keys: list[ProviderKey]) -> dict[int, list[Standing]]:
    rows = Budget.objects.filter(key__in=keys, active=True).select_related("key")
    found: dict[int, list[Standing]] = defaultdict(list)
    for standing in sorted(standings.all_of(rows), key=lambda each: -each.percent):
        found[standing.budget.key_id or 0].append(standing)
    return found


def _running(keys: list[ProviderKey]) -> dict[int, int]:
    rows = Task.objects.filter(key__in=keys, state__in=TaskState.in_flight())
    return dict(rows.order_by().values_list("key_id").annotate(Count("pk")))


def spent_cell(key: ProviderKey) -> str:
    """The month's sum per unit, and a bar for each budget."""
    if "month_spent" not in key.__dict__:
        attach([key])
    spent: Spent = key.__dict__["month_spent"] or {key.translator.unit.value: Decimal(0)}
    context = {
        "amounts": [words.money(amount, unit) for unit, amount in sorted(spent.items())],
        "rows": rows_of_month(key),
        "budgets": key.__dict__["month_budgets"],
    }
    return render_to_string("admin/generations/providerkey/spent.html", context)


def rows_of_month(key: ProviderKey) -> str:
    """Where the rows of this month's sum are listed."""
    month = totals.month_of(totals.today())
    return f"{reverse('admin:generations_usageentry_changelist')}?key__id__exact={key.pk}&day={month:%Y-%m}"
