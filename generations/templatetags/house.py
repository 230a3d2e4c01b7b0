"""Tags of the admin's pages: what wants attention, and how budgets are shown."""

from decimal import Decimal

from django import template
from django.urls import reverse
from django.utils.translation import gettext as _

from generations import alert_words, words
from generations import attention as house
from generations.budgets import Standing
from generations.models import Alert, Period, Reconciliation

register = template.Library()


@register.simple_tag
def attention() -> list[house.Line]:
    return house.lines()


@register.filter
def money(amount: Decimal, unit: str) -> str:
    return words.money(amount, unit)


@register.filter
def budget_tone(standing: Standing) -> str:
    """``bad`` when new work is stopped, ``warn`` when it soon will be."""
    if standing.left == 0:
        return "bad"
    return "warn" if standing.percent >= standing.budget.warn_at else "ok"


@register.filter
def meter_value(standing: Standing) -> int:
    """Whole percents between nothing and full: what a bar can show."""
    return int(min(max(standing.percent, Decimal(0)), Decimal(100)))


@register.filter
def meter_high(standing: Standing) -> int:
    return max(standing.budget.warn_at, min(standing.budget.block_at or 100, 100) - 1)


@register.filter
def budget_used(standing: Standing) -> str:
    told = {"percent": int(standing.percent), "limit": words.money(standing.budget.limit, standing.budget.unit)}
    if standing.budget.period == Period.DAY:
        return _("%(percent)s %% of %(limit)s today") % told
    return _("%(percent)s %% of %(limit)s this month") % told


@register.filter
def alert_subject(alert: Alert) -> str:
    return alert_words.alert_words(alert)[0]


@register.filter
def run_address(run: Reconciliation) -> str:
    """The page that shows a run's differences."""
    return reverse("reconciliation-run", args=[run.pk])
