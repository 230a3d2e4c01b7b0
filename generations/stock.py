"""What may this person choose now? One answer for the form, the command line and the tests.

The shipped catalogue, less what administrators hid, with what they added and priced, for the vendor of one key.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from generations import addresses
from generations.models import CatalogueEntry, EntryAction, KeyState, PriceList, PriceRow, ProviderKey, User
from generations.providers import PROVIDERS, catalog
from generations.providers.base import ImageTransport, Mode, Money, Unit
from generations.providers.catalog import Offer, Rate, Stock, Switch
from generations.providers.offer import Entered, Figures, Tariff
from generations.providers.offer import PriceList as Source

LIKE_FIELDS = ("label", "wire_model", "max_images", "prompt_max", "note")
ADDED_HINT = gettext_noop("Added by an administrator")


def keys_for(user: User) -> list[ProviderKey]:
    """The keys with which this person may order now."""
    return list(ProviderKey.objects.filter(state=KeyState.ACTIVE, problem=""))


def stock_of(key: ProviderKey) -> Stock:
    """What can be ordered with this key."""
    return stocks_of([key])[key.pk]


def stocks_of(keys: Iterable[ProviderKey]) -> dict[int, Stock]:
    """The same for several keys, in as many queries as for one."""
    keys = list(keys)
    wanted = {key.provider for key in keys}
    offers = _corrected(wanted)
    prices = _prices(wanted)
    return {key.pk: _stock(key, offers[key.provider], prices.get(key.provider, [])) for key in keys}


def _stock(key: ProviderKey, offers: Iterable[Offer], prices: "list[_Version]") -> Stock:
    trials = key.translator.experiments if key.set_options.get("experiments") is True else ()
    sold = tuple(_priced(offer, prices, key.base_url) for offer in (*offers, *trials))
    return Stock(key.provider, sold, _closed(key, sold))


def _closed(key: ProviderKey, offers: Iterable[Offer]) -> Mapping[Mode, str]:
    """Where pictures go by address, the vendor must be able to fetch them from us."""
    translator = key.translator
    if translator.image_transport(key.set_options) is ImageTransport.INLINE or addresses.house_for(key.base_url):
        return {}
    sentence = _(
        "%(provider)s takes pictures only by an address that it can fetch, and VideoForge has none: "
        "an administrator can set VIDEOFORGE_PUBLIC_URL."
    )
    return dict.fromkeys((o.mode for o in offers if o.min_images), sentence % {"provider": translator.name})


# --- Rows that administrators hid or added --------------------------------------------------------------------


def _corrected(providers: Iterable[str]) -> dict[str, list[Offer]]:
    entries: dict[str, list[CatalogueEntry]] = {provider: [] for provider in providers}
    for entry in CatalogueEntry.objects.filter(provider__in=list(entries)):
        entries[entry.provider].append(entry)
    return {provider: corrected(catalog.offers(provider), found) for provider, found in entries.items()}


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a vendor's catalogue and where it comes from: as shipped, or by these entries."""

    offer: Offer
    added: CatalogueEntry | None = None
    hidden: CatalogueEntry | None = None


def corrected(shipped: Sequence[Offer], entries: Sequence[CatalogueEntry]) -> list[Offer]:
    """The shipped rows of a vendor without the hidden and with the added ones."""
    return [line.offer for line in lines(shipped, entries) if not line.hidden]


def lines(shipped: Sequence[Offer], entries: Sequence[CatalogueEntry]) -> list[Line]:
    """All rows, hidden ones included. An added row with the name of a shipped one stands in its place."""
    hidden = {(entry.mode, entry.model): entry for entry in entries if entry.action == EntryAction.HIDE}
    added = {(entry.mode, entry.model): entry for entry in entries if entry.action == EntryAction.ADD}
    found = []
    for offer in shipped:
        place = (offer.mode.value, offer.model)
        found.append(_line(added.pop(place, None), shipped, hidden.get(place)) or Line(offer, None, hidden.get(place)))
    more = (_line(entry, shipped, hidden.get(place)) for place, entry in added.items())
    return [*found, *(line for line in more if line)]


def _line(entry: CatalogueEntry | None, shipped: Sequence[Offer], hidden: CatalogueEntry | None) -> Line | None:
    offer = added_offer(entry, shipped) if entry else None
    return Line(offer, entry, hidden) if offer else None


def catalogue(provider: str) -> list[Line]:
    """All rows of a vendor with the prices in force, for a key at its usual address."""
    prices = _prices([provider]).get(provider, [])
    entries = list(CatalogueEntry.objects.filter(provider=provider))
    found = lines(catalog.offers(provider), entries)
    return [replace(line, offer=_priced(line.offer, prices, "")) for line in found]


def added_offer(entry: CatalogueEntry, shipped: Iterable[Offer]) -> Offer | None:
    """The offer that an entry adds; None when what it is like is no longer in the catalogue.

    Only a correction of the very model keeps its price: another one's is not known from what it is like.
    """
    alike = next((o for o in shipped if o.mode == entry.mode and o.model == (entry.like or entry.model)), None)
    if alike is None:
        return None
    filled = {name: getattr(entry, name) for name in LIKE_FIELDS if getattr(entry, name) not in ("", None)}
    if entry.model != alike.model:
        filled = {"label": entry.model, "hint": ADDED_HINT, "tariff": None, **filled}
    offer = replace(alike, model=entry.model, **filled)
    offer = _with_lengths(offer, _lengths(entry, alike))
    if entry.aspect_ratios:
        ratios = tuple(entry.aspect_ratios.split())
        offer = replace(offer, aspect_ratios=ratios, default_aspect_ratio=ratios[0])
    if entry.off_peak is not None:
        offer = replace(offer, off_peak=entry.off_peak)
    if entry.audio:
        silent = entry.audio == Switch.NO
        offer = replace(offer, audio=Switch(entry.audio), audio_types=() if silent else offer.audio_types)
    if entry.bgm:
        offer = replace(offer, bgm=Switch(entry.bgm))
    return offer


def _with_lengths(offer: Offer, lengths: Mapping[str, tuple[int, ...]]) -> Offer:
    """With other resolutions and durations, and defaults that are among them."""
    resolution = offer.default_resolution if offer.default_resolution in lengths else next(iter(lengths))
    near = min(lengths[resolution], key=lambda each: abs(each - offer.default_duration), default=0)
    return replace(offer, durations_by_resolution=lengths, default_resolution=resolution, default_duration=near)


def _lengths(entry: CatalogueEntry, alike: Offer) -> Mapping[str, tuple[int, ...]]:
    lengths = dict(alike.durations_by_resolution)
    longest = max(lengths.values(), key=len)
    if entry.resolutions:
        lengths = {each: lengths.get(each, longest) for each in entry.resolutions.split()}
    return dict.fromkeys(lengths, read_lengths(entry.durations)) if entry.durations else lengths


def read_lengths(text: str) -> tuple[int, ...]:
    """ "4 8" or "1-16" as seconds."""
    found: set[int] = set()
    for part in text.split():
        first, _dash, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(found))


# --- Prices ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Version:
    """A price list in force, with its rows."""

    source: Source
    rate: Rate | None
    rows: tuple[PriceRow, ...]

    def tariff(self, offer: Offer) -> Tariff | None:
        """What it says of an offer: a row that names the mode comes before all that do not, whatever else they name."""
        rows = [row for row in self.rows if row.model == offer.model]
        named = {row.resolution: _figures(row) for row in rows if row.mode == offer.mode}
        if "" not in named:
            named = {row.resolution: _figures(row) for row in rows if not row.mode} | named
        if not named:
            return None
        shipped = offer.tariff if offer.tariff and offer.tariff.source.unit is self.source.unit else None
        extras = (shipped.audio_extra, shipped.is_rec_extra) if shipped else (0, 0)
        return Tariff(Entered(named), self.source, *extras, rate=self.rate)


def _figures(row: PriceRow) -> Figures:
    return Figures(row.per_second, row.per_clip, row.off_peak_per_second, row.off_peak_per_clip)


def _prices(providers: Iterable[str]) -> dict[str, list[_Version]]:
    """The lists in force by vendor, the newest first."""
    lists = PriceList.objects.filter(provider__in=list(providers), valid_from__lte=timezone.localdate())
    found: dict[str, list[_Version]] = {}
    for each in lists.order_by("-valid_from", "-pk").prefetch_related("rows"):
        found.setdefault(each.provider, []).append(_version(each))
    return found


def _version(each: PriceList) -> _Version:
    unit = Unit(each.unit)
    worth = None if each.worth is None else Money(Decimal(each.worth), Unit(each.currency))
    rate = Rate(unit, worth, each.valid_from) if worth else None
    return _Version(Source(each.name, each.valid_from, unit), rate, tuple(each.rows.all()))


def _priced(offer: Offer, versions: list[_Version], base_url: str) -> Offer:
    """By the newest list of administrators that names the model, else as shipped."""
    entered = next((tariff for version in versions if (tariff := version.tariff(offer))), None)
    if entered:
        return replace(offer, tariff=entered)
    if offer.tariff is None:
        return offer
    rates = PROVIDERS[offer.provider].rates
    rate = rates.get(base_url.rstrip("/")) or rates.get("")
    return replace(offer, tariff=replace(offer.tariff, rate=rate))
