"""How the lines of a report are called: keys, people and models by the names that people know."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from generations.models import ProviderKey, TaskState, User
from generations.models.tasks import MODE_CHOICES
from generations.providers import PROVIDERS
from generations.words import STATES


def label(group: str, value: Any, keys: Mapping[int, ProviderKey], people: Mapping[int, User]) -> str:
    """Rows outlive people who left: these are still named, with a word about it."""
    if group == "key":
        return keys[value].label if value in keys else str(value)
    if group == "person":
        return person_name(people.get(value)) if value is not None else _("Nobody here")
    if group in ("day", "month"):
        return day_name(value) if group == "day" else month_name(value)
    return _word(group, value)


def _word(group: str, value: str) -> str:
    if group == "vendor":
        return PROVIDERS[value].name if value in PROVIDERS else value
    if group == "mode":
        return str(dict(MODE_CHOICES).get(value, value)) or _("No mode")
    if group == "state":
        return str(STATES[value].word) if value in TaskState.values else value
    return model_name(value) or _("No model")


def person_name(person: User | None) -> str:
    if person is None:
        return _("Somebody")
    return person.display_name if person.is_active else _("%(name)s (left)") % {"name": person.display_name}


def day_name(day: date) -> str:
    return date_format(day, pgettext("date format", "D j M"))


def month_name(month: date) -> str:
    return date_format(month, pgettext("date format", "F Y"))


@cache
def _models() -> dict[str, str]:
    found: dict[str, str] = {}
    for provider in PROVIDERS.values():
        for offer in (*provider.offers, *provider.experiments):
            for name in (offer.model, *offer.wire_ids()):
                found.setdefault(name, offer.label)
    return found


def model_name(model: str) -> str:
    """The name people know, whichever vendor sells it; one that left the catalogue keeps its raw name."""
    return _models().get(model, model)


def model_choices(providers: set[str]) -> list[tuple[str, str]]:
    """What these vendors sell, by name."""
    offers = (offer for slug, each in PROVIDERS.items() if slug in providers for offer in each.offers)
    return sorted({offer.model: offer.label for offer in offers}.items(), key=lambda pair: pair[1])
