"""What the pages of usage ask: amounts with their sign, short numbers, names of lines."""

from decimal import Decimal
from uuid import UUID

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext

from generations import queries, words
from generations.budgets import Standing
from generations.models import Task, User
from generations.models.tasks import UNIT_CHOICES
from generations.providers.base import Unit
from generations.reports import About, labels
from generations.reports.filters import GROUPS

register = template.Library()
MONEY = (Unit.USD, Unit.CNY)
register.filter("person_name", labels.person_name)
register.filter("model_name", labels.model_name)


@register.filter
def about_money(about: About) -> str:
    """ "about 12.40 CNY": as good as the rate that somebody entered."""
    return gettext("about %(amount)s") % {"amount": words.money(about.amount, about.currency.lower())}


@register.filter
def signed_money(amount: Decimal, unit: str) -> str:
    """With its sign, where less is as likely as more."""
    return f"{'+' if amount > 0 else '−' if amount < 0 else ''}{words.money(abs(amount), unit)}"


@register.filter
def plain(amount: Decimal, unit: str) -> str:
    """An amount beside a column that tells its unit."""
    places = max(0, -int(amount.normalize().as_tuple().exponent))
    return number_format(amount, decimal_pos=max(2, places) if unit in MONEY else places, force_grouping=True)


@register.filter
def signed(amount: Decimal, unit: str) -> str:
    return f"{'+' if amount > 0 else '−' if amount < 0 else ''}{plain(abs(amount), unit)}"


@register.filter
def rounded(amount: Decimal) -> Decimal:
    """To what a person reads: two places, four where it is small."""
    return round(amount, 2 if abs(amount) >= 1 else 4)


@register.filter
def short_number(amount: Decimal) -> str:
    """As many places as a narrow column has: 12.5, 340, 3.4k, 1.2M."""
    for size, letter in ((1_000_000, "M"), (10_000, "k")):
        if abs(amount) >= size:
            return f"{number_format(amount / (1_000 if letter == 'k' else size), decimal_pos=1)}{letter}"
    places = 0 if amount == amount.to_integral_value() or abs(amount) >= 100 else 2 if abs(amount) < 1 else 1
    return number_format(amount, decimal_pos=places)


@register.filter
def group_word(group: str) -> str:
    return str(dict(GROUPS)[group])


@register.filter
def unit_word(unit: str) -> str:
    return str(dict(UNIT_CHOICES).get(unit, unit))


@register.filter
def budget_name(standing: Standing) -> str:
    """ "Key Studio", "Mine", "Team Trailer"."""
    budget = standing.budget
    if budget.key:
        return gettext("Key %(name)s") % {"name": budget.key.label}
    return gettext("Mine") if budget.person_id else gettext("Team %(name)s") % {"name": budget.team}


@register.filter
def bar_value(percent: Decimal) -> str:
    """For the value of a bar that ends at a hundred; a point in every language."""
    return f"{min(percent, Decimal(100)):.0f}"


@register.filter
def short_id(pk: UUID) -> str:
    """Enough to tell clips of one list apart: ids begin with their time."""
    return str(pk)[-12:]


@register.filter
def opens_for(task: Task, user: User) -> bool:
    """Whether this person may see the clip; its figures may be known to more."""
    return queries.opens_for(user, task)
