"""What a key was used for, on its page: thirty-one days as bars, its last rows, its budgets, how it was reconciled."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from heapq import nlargest

from django.contrib import messages
from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from generations import alerts, reconciliation, standings, totals
from generations.admin import chart
from generations.budgets import Standing
from generations.ledger import SPENT
from generations.models import (
    Alert,
    Budget,
    Grain,
    LedgerTotal,
    ProviderKey,
    Reconciliation,
    UsageEntry,
    User,
)
from generations.reconciliation import wording

DAYS, ROWS, RUNS = 31, 20, 10
WINDOW = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Use:
    charts: list[chart.Chart]
    zone: str
    rows: list[UsageEntry]
    budgets: list[Standing]
    runs: list[Reconciliation]
    alerts: list[Alert]
    ends: date | None  # when the balance is used up at this pace


def use_of(key: ProviderKey) -> Use:
    budgets = Budget.objects.filter(key=key).select_related("key")
    runs = Reconciliation.objects.filter(key=key).with_open().select_related("key", "actor")
    return Use(
        charts=charts(key),
        zone=str(totals.zone()),
        rows=recent(key),
        budgets=standings.all_of(budgets),
        runs=wording.with_badges(runs.order_by("-pk")[:RUNS]),
        alerts=list(Alert.objects.filter(key=key, closed_at=None).select_related("key", "budget")[:RUNS]),
        ends=alerts.runs_out_on(key),
    )


def charts(key: ProviderKey) -> list[chart.Chart]:
    """One for each unit in which the key spent something lately, and at least one."""
    when = chart.days(totals.today(), DAYS)
    rows = LedgerTotal.objects.filter(key=key, grain=Grain.DAY, starts_on__gte=when[0], kind__in=SPENT)
    by_unit: dict[str, dict[date, Decimal]] = defaultdict(dict)
    by_unit[key.translator.unit.value] = {}
    for unit, day, amount in rows.order_by().values_list("unit", "starts_on").annotate(Sum("amount")):
        by_unit[unit][day] = amount
    return [chart.of(amounts, when, unit) for unit, amounts in by_unit.items()]


def recent(key: ProviderKey) -> list[UsageEntry]:
    """The newest rows. Unit by unit, because the index that knows the newest of a key has the unit before the time."""
    units = totals.of_all_time().filter(key=key).order_by().values_list("unit", flat=True).distinct()
    rows = UsageEntry.objects.filter(key=key).select_related("person", "task")
    newest: QuerySet[UsageEntry] = rows.order_by("-at", "-pk")
    found = [row for unit in list(units) for row in newest.filter(unit=unit)[:ROWS]]
    return nlargest(ROWS, found, key=lambda row: (row.at, row.pk))


def line(key: ProviderKey) -> list[tuple[str, str]]:
    """Address and label of the key before this one and of those after it."""
    others = [*([key.replaces] if key.replaces else []), *key.replaced_by.all()]
    return [(reverse("admin:generations_providerkey_change", args=[each.pk]), each.label) for each in others]


def reconcile(request: HttpRequest, key: ProviderKey) -> None:
    """Have the last days compared with what the vendor says; the worker does it."""
    now = timezone.now()
    actor = request.user if isinstance(request.user, User) else None
    reconciliation.request(key, now - WINDOW, now, actor)
    messages.info(request, _("The last seven days are being compared. The outcome appears here in a while."))
