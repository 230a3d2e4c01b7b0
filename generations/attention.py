"""What wants a person, for the first page of the admin: one line each, with the list behind it. Only reads.

Each part costs a fixed number of queries, however much has happened in the house.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db.models import Count, F, Min, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Abs, Coalesce
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from generations import alerts, health, operations, standings, words
from generations.models import (
    Alert,
    Budget,
    Difference,
    DifferenceState,
    KeyProblem,
    KeyState,
    ProviderKey,
    Reconciliation,
    RunState,
)

NAMED_AT_MOST = 3
EXPIRES_WITHIN = timedelta(days=14)
LATELY = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Line:
    """``tone`` is bad or warn; ``detail`` names the first of them."""

    text: str
    address: str
    tone: str
    detail: str = ""


def lines() -> list[Line]:
    """The worst first; none when nothing wants a look."""
    parts = (
        worker, failing_keys, copies, budgets, differences, not_compared, unconfirmed, expiring_keys, open_alerts,
    )  # fmt: skip
    found = [line for part in parts for line in part()]
    return sorted(found, key=lambda line: line.tone != "bad")


def worker() -> Iterator[Line]:
    if not health.worker_alive():
        yield Line(_("The worker is silent: nothing is sent or saved"), reverse("operations"), "bad")


def failing_keys() -> Iterator[Line]:
    keys = ProviderKey.objects.exclude(problem=KeyProblem.NONE).exclude(state=KeyState.DISABLED).order_by("label")
    labels = list(keys.values_list("label", flat=True))
    if number := len(labels):
        text = ngettext("%(number)d key fails", "%(number)d keys fail", number) % {"number": number}
        yield Line(text, _list("providerkey", "wants=failing"), "bad", _named(labels))


def expiring_keys() -> Iterator[Line]:
    keys = expiring().order_by("expires_on")
    if number := len(keys):
        text = ngettext("%(number)d key expires soon", "%(number)d keys expire soon", number) % {"number": number}
        told = [f"{key.label} ({date_format(key.expires_on, 'DATE_FORMAT')})" for key in keys if key.expires_on]
        yield Line(text, _list("providerkey", "wants=expiring"), "warn", _named(told))


def expiring() -> QuerySet[ProviderKey]:
    """Keys in use whose last day comes within two weeks, or has passed."""
    soon = timezone.localdate() + EXPIRES_WITHIN
    return ProviderKey.objects.filter(expires_on__lte=soon).exclude(state=KeyState.DISABLED)


def copies() -> Iterator[Line]:
    if number := operations.copies_at_risk():
        text = ngettext("%(number)d copy is at risk", "%(number)d copies are at risk", number) % {"number": number}
        yield Line(text, reverse("operations-list", args=["at-risk"]), "bad")


def budgets() -> Iterator[Line]:
    """Those at or above the share at which they warn; they speak in one line."""
    rows = Budget.objects.filter(active=True).select_related("key", "person", "team")
    high = sorted(
        (each for each in standings.all_of(rows) if each.percent >= each.budget.warn_at), key=lambda each: -each.percent
    )
    if number := len(high):
        text = ngettext(
            "%(number)d budget is nearly or wholly used up", "%(number)d budgets are nearly or wholly used up", number
        )
        told = [f"{words.name_of_scope(each.budget)} {int(each.percent)} %" for each in high]
        tone = "bad" if any(each.left == 0 for each in high) else "warn"
        yield Line(text % {"number": number}, _list("budget"), tone, _named(told))


def unconfirmed() -> Iterator[Line]:
    # Of the rows themselves: then the index has all that is asked for.
    found = alerts.unconfirmed().aggregate(number=Count("*"), oldest=Min("finished_at"))
    if number := found["number"]:
        text = ngettext("%(number)d charge is not confirmed", "%(number)d charges are not confirmed", number)
        oldest = date_format(timezone.localtime(found["oldest"]), "DATE_FORMAT")
        address = _list("task", "charge__isnull=True&finished_at__isnull=False")
        yield Line(text % {"number": number}, address, "warn", _("the oldest since %(date)s") % {"date": oldest})


def differences() -> Iterator[Line]:
    """What the vendors' lists and our ledger see differently, per unit: unlike units are never added."""
    gap = Abs(Coalesce(F("theirs"), Decimal(0)) - Coalesce(F("ours"), Decimal(0)))
    rows = Difference.objects.filter(state=DifferenceState.OPEN).order_by("unit").values_list("unit")
    found = list(rows.annotate(number=Count("pk"), sum=Sum(gap)))
    if found:
        number = sum(each for _unit, each, _sum in found)
        text = ngettext(
            "%(number)d difference between a vendor's list and the ledger",
            "%(number)d differences between vendors' lists and the ledger",
            number,
        )
        told = [words.money(amount, unit) for unit, _number, amount in found if amount]
        yield Line(text % {"number": number}, _list("difference", "state__exact=open"), "warn", _named(told))


def not_compared() -> Iterator[Line]:
    """Keys whose books were not compared to their end in the last night; a key that rests has none any more."""
    nights = Reconciliation.objects.filter(key=OuterRef("pk"), nightly=True, ended_at__gte=timezone.now() - LATELY)
    last = nights.order_by("-pk").values("state")[:1]
    wanting = ProviderKey.objects.annotate(last_night=Subquery(last))
    wanting = wanting.filter(last_night__in=(RunState.INCOMPLETE, RunState.FAILED)).order_by("label")
    labels = list(wanting.values_list("label", flat=True))
    if number := len(labels):
        text = ngettext(
            "%(number)d key was not compared with its vendor last night",
            "%(number)d keys were not compared with their vendors last night",
            number,
        )
        yield Line(text % {"number": number}, reverse("reconciliation"), "warn", _named(labels))


def open_alerts() -> Iterator[Line]:
    if number := Alert.objects.filter(closed_at=None).count():
        text = ngettext("%(number)d alert is open", "%(number)d alerts are open", number) % {"number": number}
        yield Line(text, _list("alert"), "warn")


def _list(table: str, query: str = "") -> str:
    return reverse(f"admin:generations_{table}_changelist") + (f"?{query}" if query else "")


def _named(names: Iterable[str]) -> str:
    told = list(names)
    rest = len(told) - NAMED_AT_MOST
    if rest > 0:
        more = ngettext("%(number)d more", "%(number)d more", rest) % {"number": rest}
        told = [*told[:NAMED_AT_MOST], more]
    return pgettext("between parts of a sentence", ", ").join(told)
