"""What every vendor sells, in one table: the catalogue as people get it, with what was hidden and where all is from."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from generations import stock, words
from generations.choices import rules
from generations.models.catalogue import SWITCH_CHOICES
from generations.providers import PROVIDERS
from generations.providers.base import Unit
from generations.providers.catalog import Offer, Switch, estimate

NONE = "–"
IDS_AT_MOST = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``cells`` are those of ``headings``, each a list of lines."""

    vendor: str
    label: str
    model: str
    mode: str
    cells: list[list[str]]
    source: str
    hidden: bool
    links: list[str]  # to the entries that made it so


def rows(providers: list[str]) -> list[Row]:
    return [_row(line) for slug in providers for line in stock.catalogue(slug)]


def _row(line: stock.Line) -> Row:
    entries = [entry for entry in (line.added, line.hidden) if entry]
    return Row(
        vendor=PROVIDERS[line.offer.provider].name,
        label=line.offer.label,
        model=line.offer.model,
        mode=rules.mode_label(line.offer.mode),
        cells=[cell for _heading, cell in facts(line.offer)],
        source=source_words(line),
        hidden=line.hidden is not None,
        links=[reverse("admin:generations_catalogueentry_change", args=[entry.pk]) for entry in entries],
    )


def source_words(line: stock.Line) -> str:
    if line.hidden:
        return _("hidden")
    if line.added is None:
        return _("shipped")
    return _("corrected") if line.added.like in ("", line.added.model) else _("one more")


def headings() -> list[str]:
    return [
        _("On the wire"), _("Durations"), _("Aspect ratios"), _("Pictures"), _("Characters of a prompt"), _("Sound"),
        _("Background music"), _("Style"), _("Movement"), _("Watermark"), _("Off-peak"), _("Seed"), _("Price"),
    ]  # fmt: skip


def facts(offer: Offer) -> list[tuple[str, list[str]]]:
    """Everything about an offer, by heading; a cell may have several lines."""
    music = _switch(offer.bgm)
    if offer.bgm_max_duration and offer.bgm is not Switch.NO:
        music = _("%(music)s, up to %(seconds)d s") % {"music": music, "seconds": offer.bgm_max_duration}
    cells = [
        wire_ids(offer),
        rules.lengths_words(offer),
        [" ".join(offer.aspect_ratios) or NONE],
        [_span(offer.min_images, offer.max_images)],
        [str(offer.prompt_max)],
        [_switch(offer.audio)],
        [music],
        [_named("style", offer.styles)],
        [_named("movement_amplitude", offer.movements)],
        [_yes(offer.watermark)],
        [_off_peak(offer)],
        [_yes(offer.seed)],
        list(prices(offer)),
    ]
    return list(zip(headings(), cells, strict=True))


def wire_ids(offer: Offer) -> list[str]:
    """Every id that is sent; of many the pattern, and how the first and the last one come out."""
    ids = list(offer.wire_ids())
    return ids if len(ids) <= IDS_AT_MOST else [offer.wire_model, f"{ids[0]} … {ids[-1]}"]


def prices(offer: Offer) -> Iterator[str]:
    """A line a resolution, off-peak beside it, and the list with its date."""
    if offer.tariff is None:
        yield _("unknown")
        return
    for resolution in offer.resolutions:
        normal, cheap = _price(offer, resolution, False), _price(offer, resolution, True) if offer.off_peak else ""
        if cheap:
            said = {"resolution": resolution, "normal": normal or NONE, "cheap": cheap}
            yield _("%(resolution)s: %(normal)s, off-peak %(cheap)s") % said
        elif normal:
            yield f"{resolution}: {normal}"
    source = offer.tariff.source
    yield f"{source.name}, {date_format(source.as_of, 'DATE_FORMAT')}"


def _price(offer: Offer, resolution: str, off_peak: bool) -> str:
    """So much a second where that is all, else what the shortest and the longest clip cost; "" for no price."""
    if offer.tariff is None:
        return ""
    unit, rate = offer.tariff.source.unit, offer.tariff.price.per_second(resolution, off_peak)
    if rate is not None:
        return _("%(amount)s a second") % {"amount": words.money(rate, unit)}
    durations = [each for each in offer.durations_by_resolution[resolution] if each]
    ends = sorted({durations[0], durations[-1]}) if durations else []
    return " … ".join(_clip(offer, resolution, seconds, off_peak, unit) for seconds in ends).strip(" …")


def _clip(offer: Offer, resolution: str, seconds: int, off_peak: bool, unit: Unit) -> str:
    found = estimate(offer, resolution=resolution, duration=seconds, off_peak=off_peak)
    if found is None:
        return ""
    amount: Decimal = found.amount.amount
    return f"{words.money(amount, unit)} ({seconds} s)"


def _switch(switch: Switch) -> str:
    return NONE if switch is Switch.NO else str(dict(SWITCH_CHOICES)[switch.value])


def _off_peak(offer: Offer) -> str:
    if not offer.off_peak or offer.off_peak_with_audio or offer.audio is Switch.NO:
        return _yes(offer.off_peak)
    return _("without sound")


def _named(name: str, values: tuple[str, ...]) -> str:
    return ", ".join(rules.value_label(name, value) for value in values) or NONE


def _span(least: int, most: int) -> str:
    return str(most) if least == most else f"{least}–{most}"


def _yes(value: bool) -> str:
    return _("yes") if value else NONE
