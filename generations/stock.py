"""What may this person choose now? One answer for the form, the command line and the tests.

The shipped catalogue, less what administrators hid, with what they added and priced, for the vendor of one key.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext as _

from generations import addresses
from generations.models import CatalogueEntry, EntryAction, KeyState, PriceList, PriceRow, ProviderKey, User
from generations.providers import PROVIDERS, catalog
from generations.providers.base import EXPERIMENTS, ImageTransport, Mode, Money, Unit
from generations.providers.catalog import Offer, Rate, Stock, Switch
from generations.providers.offer import Entered, Figures, Tariff
from generations.providers.offer import PriceList as Source

LIKE_FIELDS = ("label", "wire_model", "max_images", "prompt_max", "note")


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
    trials = key.set_options.get("experiments") is True
    sold = tuple(_priced(offer, prices, key) for offer in offers if trials or offer.mode not in EXPERIMENTS)
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


def corrected(shipped: Sequence[Offer], entries: Sequence[CatalogueEntry]) -> list[Offer]:
    """The shipped rows of a vendor without the hidden and with the added ones."""
    hidden = {(entry.mode, entry.model) for entry in entries if entry.action == EntryAction.HIDE}
    kept = [offer for offer in shipped if (offer.mode.value, offer.model) not in hidden]
    added = (added_offer(entry, shipped) for entry in entries if entry.action == EntryAction.ADD)
    return [*kept, *(offer for offer in added if offer)]


def added_offer(entry: CatalogueEntry, shipped: Iterable[Offer]) -> Offer | None:
    """The offer that an entry adds; None when what it is like is no longer in the catalogue."""
    alike = next((o for o in shipped if o.mode == entry.mode and o.model == (entry.like or entry.model)), None)
    if alike is None:
        return None
    filled = {name: getattr(entry, name) for name in LIKE_FIELDS if getattr(entry, name) not in ("", None)}
    offer = replace(alike, model=entry.model, tariff=None, **filled)
    offer = replace(offer, durations_by_resolution=_lengths(entry, alike))
    if entry.aspect_ratios:
        ratios = tuple(entry.aspect_ratios.split())
        offer = replace(offer, aspect_ratios=ratios, default_aspect_ratio=ratios[0])
    if entry.off_peak is not None:
        offer = replace(offer, off_peak=entry.off_peak)
    if entry.audio:
        offer = replace(offer, audio=Switch(entry.audio))
    if entry.bgm:
        offer = replace(offer, bgm=Switch(entry.bgm))
    if offer.default_resolution not in offer.resolutions:
        offer = replace(offer, default_resolution=offer.resolutions[0])
    return offer


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
        """What it says of an offer: rows that name the mode before those that do not."""
        rows = [row for row in self.rows if row.model == offer.model and row.mode in ("", offer.mode)]
        named = {row.resolution: _figures(row) for row in sorted(rows, key=lambda row: row.mode)}
        return Tariff(Entered(named), self.source, rate=self.rate) if named else None


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


def _priced(offer: Offer, versions: list[_Version], key: ProviderKey) -> Offer:
    """By the newest list of administrators that names the model, else as shipped."""
    entered = next((tariff for version in versions if (tariff := version.tariff(offer))), None)
    if entered:
        return replace(offer, tariff=entered)
    if offer.tariff is None:
        return offer
    rates = PROVIDERS[key.provider].rates
    rate = rates.get(key.base_url.rstrip("/")) or rates.get("")
    return replace(offer, tariff=replace(offer.tariff, rate=rate))
