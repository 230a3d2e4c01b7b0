"""The same request at every vendor that we have a key for: price, typical time, failures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext as _

from generations.choices import Chosen, Cost, options, rules
from generations.forms.checks import picture_number_problems, settings_problems
from generations.forms.generate import GenerateForm
from generations.history import History, histories
from generations.models import ProviderKey
from generations.providers.catalog import Offer, Stock, Switch

UNKNOWN = History()


@dataclass(frozen=True, slots=True)
class Quote:
    """One key's answer. ``reason`` says why it cannot do this; then there is no cost."""

    key: ProviderKey
    chosen: bool
    cost: Cost | None = None
    history: History = UNKNOWN
    reason: str = ""
    note: str = ""


def compare(form: GenerateForm) -> list[Quote]:
    """A quote of every key for the composer's settings as they stand; those that can do it first."""
    offer, chosen = form.params.offer, form.params.chosen
    if offer is None or chosen is None:
        return []
    wish = Wish(offer, chosen, *_beside(form))
    found = {key.pk: _find(form.stocks[key.pk], wish) for key in form.keys}
    kinds = {pk: (each.provider, each.model, each.mode.value) for pk, (each, _reason) in found.items() if each}
    known = histories(kinds.values())
    wanted = {"count": form["count"].value()}
    quotes = [
        Quote(
            key,
            key == form.chosen_key,
            None if reason or other is None else options.cost_of(other, chosen, wanted),
            known[kinds[key.pk]] if key.pk in kinds else UNKNOWN,
            reason,
            _note(other),
        )
        for key in form.keys
        for other, reason in [found[key.pk]]
    ]
    return sorted(quotes, key=lambda quote: (bool(quote.reason), not quote.chosen))


@dataclass(frozen=True, slots=True)
class Wish:
    """What is compared: an offer, its settings, what was typed beside them, and how many kept pictures there are."""

    offer: Offer
    chosen: Chosen
    typed: Mapping[str, Any]
    pictures: int


def _beside(form: GenerateForm) -> tuple[Mapping[str, Any], int]:
    """A seed that is no number is the form's to refuse, and so is a label that cannot be read."""
    seed = str(form["seed"].value() or "")
    typed = {name: str(form[name].value() or "") for name in ("prompt", "meta_data", "wm_url")}
    return typed | {"seed": int(seed) if seed.isdecimal() and len(seed) < 12 else None}, sum(
        slot.asset is not None for slot in form.slots
    )


def _find(stock: Stock, wish: Wish) -> tuple[Offer | None, str]:
    """The same model in the same mode, and why the request does not fit it, if it does not."""
    offer = wish.offer
    if offer.mode in stock.closed:
        return None, stock.closed[offer.mode]
    other = next((each for each in stock.models(offer.mode) if each.model == offer.model), None)
    if other is None:
        words = {"model": offer.label, "mode": rules.mode_label(offer.mode)}
        return None, _("%(model)s is not offered for “%(mode)s” here.") % words
    problems = list(settings_problems(other, _asked(wish, other)))
    if wish.pictures > other.max_images:
        problems += picture_number_problems(other, wish.pictures)
    # While options change the prompt does not travel: only what is there can be too long.
    asked = (sentence for field, sentence in problems if field != "prompt" or wish.typed["prompt"])
    return other, next(asked, "")


def _asked(wish: Wish, other: Offer) -> Mapping[str, Any]:
    """The settings as a form would send them. Defaults are no wishes, nor is what a vendor decides itself."""
    asked = {**wish.typed, **asdict(wish.chosen)}
    for name in rules.WORDS:
        if asked[name] == next(iter(rules.allowed_values(wish.offer, name)), None):
            asked[name] = ""
    for name in ("audio", "bgm"):
        if rules.switch_of(other, name) is Switch.UNSAID:
            asked[name] = None
    return asked


def _note(offer: Offer | None) -> str:
    if offer is not None and offer.audio is Switch.UNSAID:
        return _("%(provider)s decides about sound itself.") % {"provider": rules.provider_name(offer.provider)}
    return ""
