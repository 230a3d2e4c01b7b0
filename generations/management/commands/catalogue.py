from collections.abc import Iterable, Sequence
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import translation

from generations.choices import rules
from generations.providers import PROVIDERS, catalog
from generations.providers.base import MODES, ImageTransport, KeySetting, Mode, Provider
from generations.providers.catalog import Offer, Switch

HEAD = """# What each vendor offers

Made by `manage.py catalogue` from the tables that ship with VideoForge; `make vendors` writes this page. Administrators
hide, add and price rows in the admin, which does not show here.

"""
SWITCHES = {
    Switch.NO: "no",
    Switch.OPTIONAL: "yes",
    Switch.DEFAULT_ON: "yes, on unless refused",
    Switch.ALWAYS: "always",
    Switch.UNSAID: "vendor decides",
}
VENDOR_COLUMNS = ("Vendor", "Addresses", "Charges in", "Pictures", "List", "Cancel", "Token", "Balance", "Looks every")
COLUMNS = (
    "Model", "On the wire", "Seconds", "Ratios", "Pictures", "Prompt", "Sound", "Music", "Style", "Movement",
    "Off-peak", "Watermark", "Seed", "Price", "Note",
)  # fmt: skip


class Command(BaseCommand):
    help = "Print what each vendor offers as a Markdown page: the tables as shipped."

    def handle(self, *args: Any, **options: Any) -> None:
        with translation.override("en"):
            self.stdout.write(page(), ending="")


def page() -> str:
    vendors = table(VENDOR_COLUMNS, map(vendor_row, PROVIDERS.values()))
    return HEAD + vendors + "".join(section(provider) for provider in PROVIDERS.values())


def vendor_row(provider: Provider) -> Sequence[str]:
    inline = provider.images is ImageTransport.INLINE
    return (
        provider.name,
        "<br>".join(provider.base_urls),
        provider.unit.value,
        f"inside the request, {provider.max_body_bytes // 1024**2} MB" if inline else "by address",
        yes(provider.can_list),
        yes(provider.can_cancel),
        yes(provider.carries_token),
        yes(provider.reports_balance),
        f"{provider.poll_every:g} s",
    )


def section(provider: Provider) -> str:
    stock = catalog.stock(provider.slug)
    modes = [mode for mode in MODES if stock.models(mode)]
    settings = "".join(f"- {each.label}: {default_words(each)}\n" for each in provider.settings)
    undecided = (
        f"\nWhat no document settles is a setting of each key, with these defaults:\n\n{settings}" if settings else ""
    )
    return f"\n## {provider.name}\n{undecided}" + "".join(mode_part(stock, mode) for mode in modes)


def default_words(setting: KeySetting) -> str:
    if isinstance(setting.default, bool):
        return yes(setting.default)
    return dict(setting.choices).get(setting.default) or (f"`{setting.default}`" if setting.default else "empty")


def mode_part(stock: catalog.Stock, mode: Mode) -> str:
    return f"\n### {stock.provider} · {mode}\n\n" + table(COLUMNS, map(offer_row, stock.models(mode)))


def offer_row(offer: Offer) -> Sequence[str]:
    return (
        offer.label,
        f"`{offer.wire_model}`",
        "<br>".join(rules.lengths_words(offer)),
        ", ".join(offer.aspect_ratios) or "the picture's",
        str(offer.min_images) if offer.min_images == offer.max_images else f"{offer.min_images}–{offer.max_images}",
        f"{offer.prompt_max}",
        SWITCHES[offer.audio],
        SWITCHES[offer.bgm] + (f", to {offer.bgm_max_duration} s" if offer.bgm_max_duration else ""),
        yes(bool(offer.styles)),
        yes(bool(offer.movements)),
        ("yes" if offer.off_peak_with_audio or offer.audio is Switch.NO else "without sound")
        if offer.off_peak
        else "–",
        yes(offer.watermark),
        yes(offer.seed),
        price(offer),
        offer.note or "–",
    )


def price(offer: Offer) -> str:
    """The price of the default clip, with the date of its list."""
    estimate = catalog.estimate(offer, resolution=offer.default_resolution, duration=offer.default_duration)
    if estimate is None:
        return "unknown"
    amount = f"{estimate.amount.amount} {estimate.amount.unit}"
    return f"{amount} for {offer.default_duration} s at {offer.default_resolution} ({estimate.as_of})"


def yes(value: bool) -> str:
    return "yes" if value else "–"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
