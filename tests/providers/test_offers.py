"""Every row of every vendor: orderable, unambiguous, and told apart by its ids. And how a vendor comes to be here."""

import ast
import importlib
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from generations.providers import PROVIDERS, catalog, catalog_vidu
from generations.providers.base import MODES, Account, Mode, Order, Unit
from generations.providers.catalog import Offer, Switch
from generations.providers.catalog_dataeyes import NOTE
from generations.providers.catalog_uniall import MIX_NOTE, OFF_PEAK_NOTE

from .contract import DATA, ProviderContract, load

SHIPPED = Path(catalog.__file__).parent
OFFERS = [offer for slug in PROVIDERS for offer in catalog.offers(slug)]
RESOLD = [offer for offer in OFFERS if offer.provider != "vidu"]
each_provider = pytest.mark.parametrize("slug", PROVIDERS)
each_offer = pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: f"{offer.provider}-{offer.model}-{offer.mode}")
each_resold = pytest.mark.parametrize("offer", RESOLD, ids=lambda offer: f"{offer.provider}-{offer.model}-{offer.mode}")
ALL, HIGH = ("540p", "720p", "1080p"), ("720p", "1080p")


def find(slug: str, model: str, mode: Mode) -> Offer:
    offer = catalog.get_offer(slug, model, mode)
    assert offer is not None
    return offer


def models(slug: str, mode: Mode) -> list[str]:
    return [offer.model for offer in catalog.models(slug, mode)]


def span(first: int, last: int, *resolutions: str) -> dict[str, tuple[int, ...]]:
    return dict.fromkeys(resolutions, tuple(range(first, last + 1)))


# --- Every row -----------------------------------------------------------------------------------------------


@each_offer
def test_row_makes_sense(offer: Offer) -> None:
    assert offer.mode in MODES
    assert offer.label
    assert offer.hint
    assert "\n" not in offer.hint + offer.note
    assert offer.takes(offer.default_resolution, offer.default_duration)
    assert offer.default_aspect_ratio == (offer.aspect_ratios[0] if offer.aspect_ratios else "")
    assert bool(offer.aspect_ratios) == (offer.mode in (Mode.TEXT, Mode.REFERENCE))
    assert all(len(set(each)) == len(each) > 0 for each in offer.durations_by_resolution.values())
    assert 0 <= offer.min_images <= offer.max_images <= 7
    assert (offer.max_images > 0) == (offer.mode is not Mode.TEXT)
    assert 0 < offer.prompt_max <= 5000
    assert offer.off_peak or not offer.off_peak_with_audio
    assert offer.bgm is not Switch.NO or offer.bgm_max_duration is None
    assert not (offer.audio_types and offer.audio in (Switch.NO, Switch.ALWAYS, Switch.UNSAID))


@each_offer
def test_names_are_those_of_the_catalogue(offer: Offer) -> None:
    """The same model is the same name at every vendor, so that they can be compared."""
    known = catalog_vidu.MODELS.get(offer.model)
    if known:
        assert (offer.label, offer.family) == known[:2]
    else:
        assert (offer.provider, offer.model) == ("vtrix", "viduq2-turbo-4-8")


@each_offer
def test_every_id_leads_back_to_its_row(offer: Offer) -> None:
    stock = catalog.stock(offer.provider)
    assert stock.get(offer.model, offer.mode) is offer
    for model in offer.wire_ids():
        assert stock.get(model, offer.mode) is offer
        assert "{" not in model


@each_offer
def test_every_order_has_an_id_that_says_so(offer: Offer) -> None:
    known = offer.wire_ids()
    for resolution, durations in offer.durations_by_resolution.items():
        for duration in durations:
            for off_peak in {False, offer.off_peak}:
                said = {"resolution": resolution, "duration": duration, "off_peak": off_peak}
                fixed = known[offer.wire_id(resolution, duration, off_peak)]
                assert fixed.items() <= said.items()


@each_provider
def test_no_id_stands_for_two_rows_of_a_mode(slug: str) -> None:
    for mode in MODES:
        ids = Counter(model for offer in catalog.models(slug, mode) for model in offer.wire_ids())
        assert [model for model, count in ids.items() if count > 1] == []
        names = Counter(models(slug, mode))
        assert max(names.values(), default=0) <= 1


@each_provider
def test_rows_bear_the_name_of_their_vendor(slug: str) -> None:
    assert {offer.provider for offer in catalog.offers(slug)} == {slug}


@each_resold
def test_prices_of_resellers_are_unknown(offer: Offer) -> None:
    assert offer.tariff is None
    assert catalog.estimate(offer, resolution=offer.default_resolution, duration=offer.default_duration) is None


@each_offer
def test_unsaid_settings_are_not_sent(offer: Offer) -> None:
    if offer.audio is Switch.UNSAID:
        order = Order(offer.mode, offer.model, "p", "vf1.T", 5, "720p", audio=None)
        body = PROVIDERS[offer.provider].build_create(Account("https://a.example", "s"), order).body
        assert "audio" not in str(body)


# --- DataEyes ------------------------------------------------------------------------------------------------


def test_dataeyes_sells_what_vidu_does_under_an_id_per_tier() -> None:
    for vidus, theirs in zip(catalog.offers("vidu"), catalog.offers("dataeyes"), strict=True):
        lengths = {place: tuple(filter(None, each)) for place, each in vidus.durations_by_resolution.items()}
        wire_model = vidus.model + "-{resolution}-{duration}s"
        same = {"provider": "dataeyes", "wire_model": wire_model, "durations_by_resolution": lengths}
        assert theirs == replace(vidus, **same, tariff=None, note=NOTE)


def test_dataeyes_has_the_printed_id() -> None:
    offer = find("dataeyes", "viduq2-turbo-720p-5s", Mode.IMAGE)
    assert offer.model == "viduq2-turbo"
    assert offer.wire_ids()["viduq2-turbo-720p-5s"] == {"resolution": "720p", "duration": 5}
    assert "confirmed" in offer.note


def test_dataeyes_has_no_length_of_the_vendors_choice() -> None:
    assert all(0 not in offer.durations for offer in catalog.offers("dataeyes"))


# --- UniAll --------------------------------------------------------------------------------------------------

LISTED = {f"viduq3{kind}-{lines}" for kind in "pt" for lines in ALL}


@pytest.mark.parametrize("mode", MODES)
def test_uniall_sells_the_six_listed_ids_in_every_mode(mode: Mode) -> None:
    ids = {model for offer in catalog.models("uniall", mode) for model in offer.wire_ids()}
    mix = {"viduq3p-mix-720p"} if mode is Mode.REFERENCE else set()
    assert ids == LISTED | {f"{each}-offpeak" for each in LISTED} | mix


def test_uniall_warns_of_ids_that_its_list_lacks() -> None:
    for offer in catalog.offers("uniall"):
        assert offer.note == (MIX_NOTE if offer.model == "viduq3-mix" else OFF_PEAK_NOTE)
        assert offer.off_peak == (offer.model != "viduq3-mix")


def test_uniall_limits() -> None:
    for offer in catalog.offers("uniall"):
        lines = ("720p",) if offer.model == "viduq3-mix" else ALL
        assert dict(offer.durations_by_resolution) == span(1, 16, *lines)
        assert offer.prompt_required
        assert (
            offer.max_images
            == {"text2video": 0, "img2video": 1, "start-end2video": 2, "reference2video": 4}[offer.mode]
        )
        assert (offer.audio, offer.bgm) == (Switch.DEFAULT_ON, Switch.NO)
    assert models("uniall", Mode.TEXT) == ["viduq3-turbo", "viduq3-pro"]
    assert models("uniall", Mode.REFERENCE) == ["viduq3-pro", "viduq3-turbo", "viduq3-mix"]


# --- XingChaoYiQing ------------------------------------------------------------------------------------------


def test_xingchao_has_two_models_in_three_modes() -> None:
    for mode in (Mode.TEXT, Mode.IMAGE, Mode.START_END):
        assert models("xingchao", mode) == ["viduq3-turbo", "viduq3-pro"]
    assert models("xingchao", Mode.REFERENCE) == []
    for offer in catalog.offers("xingchao"):
        assert offer.wire_model == offer.model
        assert dict(offer.durations_by_resolution) == span(1, 16, *ALL)
        assert set(offer.aspect_ratios) in (set(), {"16:9", "9:16", "1:1", "4:3", "3:4"})
        assert (offer.audio, offer.bgm, offer.seed) == (Switch.UNSAID, Switch.NO, False)
        assert offer.prompt_required
        assert not offer.off_peak


# --- Vtrix ---------------------------------------------------------------------------------------------------

VTRIX = {
    Mode.TEXT: "viduq1_text2video viduq2_text2video viduq2_pro_fast_text2video viduq3_pro_text2video"
    " viduq3_turbo_text2video",
    Mode.IMAGE: "vidu20_img2video viduq1_img2video viduq2_pro_img2video viduq2_turbo_img2video"
    " viduq2_pro_fast_img2video viduq3_pro_img2video viduq3_turbo_img2video",
    Mode.START_END: "viduq2_pro_start_end2video viduq2_turbo_start_end2video viduq2_pro_fast_start_end2video"
    " viduq3_pro_start_end2video viduq3_turbo_start_end2video viduq2_turbo_start_end",
    Mode.REFERENCE: "viduq3_i2v_reference viduq2_i2v_reference viduq2_pro_reference",
}


@pytest.mark.parametrize("mode", MODES)
def test_vtrix_sells_its_ids(mode: Mode) -> None:
    assert {offer.wire_model for offer in catalog.models("vtrix", mode)} == set(VTRIX[mode].split())


def test_vtrix_never_sells_off_peak_nor_groups() -> None:
    assert not any(offer.off_peak or offer.subjects or offer.videos for offer in catalog.offers("vtrix"))


@pytest.mark.parametrize(
    ("model", "mode", "lengths", "prompt_max"),
    [
        ("viduq2_pro_fast_text2video", Mode.TEXT, span(1, 8, *HIGH), 2000),
        ("viduq3_turbo_text2video", Mode.TEXT, span(1, 16, *ALL), 5000),
        ("viduq2_pro_fast_img2video", Mode.IMAGE, span(1, 10, *HIGH), 2000),
        ("viduq3_i2v_reference", Mode.REFERENCE, span(3, 16, *ALL), 5000),
        ("viduq2_turbo_start_end", Mode.START_END, dict.fromkeys(ALL, (4, 8)), 5000),
        ("viduq2_pro_reference", Mode.REFERENCE, span(1, 10, *ALL), 2000),
    ],
)
def test_vtrix_limits(model: str, mode: Mode, lengths: dict[str, Any], prompt_max: int) -> None:
    offer = find("vtrix", model, mode)
    assert (dict(offer.durations_by_resolution), offer.prompt_max) == (lengths, prompt_max)


def test_vtrix_sells_as_settings_what_its_pages_name() -> None:
    text, image = find("vtrix", "viduq2-pro-fast", Mode.TEXT), find("vtrix", "viduq2-pro-fast", Mode.IMAGE)
    assert (text.watermark, text.meta_data, text.audio, text.bgm) == (True, True, Switch.NO, Switch.OPTIONAL)
    assert (image.is_rec, image.audio, image.bgm) == (True, Switch.OPTIONAL, Switch.OPTIONAL)
    assert [each.wire_model for each in catalog.offers("vtrix") if each.watermark] == ["viduq2_pro_fast_text2video"]
    assert find("vtrix", "viduq3", Mode.REFERENCE).aspect_ratios == ("16:9", "9:16", "3:4", "4:3", "1:1", "auto")


# --- How a vendor comes to be here: its module, its rows, its data, its class of contract tests, one line ---


@each_provider
def test_vendor_is_complete(slug: str) -> None:
    provider = PROVIDERS[slug]
    module = importlib.import_module(f"generations.providers.{slug}")
    rows = importlib.import_module(f"generations.providers.catalog_{slug}")
    tests = importlib.import_module(f"tests.providers.test_{slug}")
    assert type(provider).__module__ == module.__name__
    assert provider.slug == slug
    assert provider.name
    assert provider.offers == rows.OFFERS == catalog.offers(slug)
    assert {each["id"].split(".")[0] for each in load(slug)["vectors"]} == {slug}
    contract = tests.TestContract
    assert issubclass(contract, ProviderContract)
    assert type(contract.provider) is type(provider)
    assert isinstance(provider.unit, Unit)


def test_nothing_lies_about_that_is_no_vendor() -> None:
    assert {path.stem for path in DATA.glob("*.json")} == set(PROVIDERS)
    assert {path.stem.removeprefix("catalog_") for path in SHIPPED.glob("catalog_*.py")} == set(PROVIDERS)
    written = {
        path.stem for path in SHIPPED.glob("*.py") if re.search(r"^class \w+\(Provider\)", path.read_text(), re.M)
    }
    assert written == set(PROVIDERS)


@each_provider
def test_vendors_differ(slug: str) -> None:
    others = [provider for provider in PROVIDERS.values() if provider.slug != slug]
    assert PROVIDERS[slug].name not in {other.name for other in others}
    assert not set(PROVIDERS[slug].base_urls) & {url for other in others for url in other.base_urls}


def functions(slug: str) -> list[ast.FunctionDef]:
    tree = ast.parse((SHIPPED / f"{slug}.py").read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


@each_provider
def test_modules_stay_small(slug: str) -> None:
    assert 60 <= len((SHIPPED / f"{slug}.py").read_text().splitlines()) <= 200
    lengths = sorted((node.end_lineno or 0) - node.lineno + 1 for node in functions(slug))
    assert lengths[len(lengths) // 2] <= 8
