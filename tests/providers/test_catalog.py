from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from generations.providers import catalog, catalog_vidu
from generations.providers.base import MODES, Mode, Money, Unit
from generations.providers.catalog import Offer, Switch
from generations.providers.catalog_vidu import MODELS, PRICES

from .contract import load

DATA = load("vidu")
ROWS = DATA["capabilities"]["rows"]
PRICING = DATA["pricing"]
OFFERS = catalog.offers("vidu")
every_offer = pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: f"{offer.model}-{offer.mode}")
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['model']}-{row['mode']}-{row['durations']}")

AUDIO = {False: Switch.NO, "optional": Switch.OPTIONAL, "default true": Switch.DEFAULT_ON, "implicit": Switch.ALWAYS}


def find(model: str, mode: str) -> Offer:
    offer = catalog.get_offer("vidu", model, Mode(mode))
    assert offer is not None
    return offer


def price(model: str, mode: str, resolution: str, duration: int, **how: Any) -> Decimal | None:
    estimate = catalog.estimate(find(model, mode), resolution=resolution, duration=duration, **how)
    return estimate.amount.amount if estimate else None


# --- Against the documents -----------------------------------------------------------------------------------


@every_row
def test_lengths_and_resolutions(row: dict[str, Any]) -> None:
    offer = find(row["model"], row["mode"])
    first, last = row["durations"]
    for resolution in row["resolutions"]:
        assert set(range(first, last + 1)) <= set(offer.durations_by_resolution[resolution])


def test_nothing_is_offered_beyond_the_documents() -> None:
    documented = defaultdict(set)
    for row in ROWS:
        first, last = row["durations"]
        for resolution in row["resolutions"]:
            documented[row["model"], row["mode"], resolution] |= set(range(first, last + 1))
    ours = {
        (offer.model, offer.mode.value, resolution): set(durations)
        for offer in OFFERS
        for resolution, durations in offer.durations_by_resolution.items()
    }
    assert ours == documented


@every_row
def test_settings(row: dict[str, Any]) -> None:
    offer = find(row["model"], row["mode"])
    assert list(offer.aspect_ratios) == (row["aspect_ratios"] or [])
    assert [offer.min_images, offer.max_images] == row["images"]
    assert offer.prompt_max == row["prompt_max"]
    assert offer.audio is AUDIO[row["audio"]]
    assert bool(offer.styles) == row["style"]
    assert bool(offer.movements) == row["movement_amplitude"]
    assert (offer.bgm is Switch.OPTIONAL) == bool(row["bgm"])
    assert offer.bgm_max_duration == (8 if row["bgm"] == "not at 9-10 s" else None)


@every_row
def test_default_resolution(row: dict[str, Any]) -> None:
    offer = find(row["model"], row["mode"])
    if offer.default_duration in range(row["durations"][0], row["durations"][1] + 1):
        assert offer.default_resolution == row["default_resolution"]


def test_the_oldest_model_has_lengths_by_resolution() -> None:
    offer = find("vidu2.0", "img2video")
    assert dict(offer.durations_by_resolution) == {"360p": (4,), "720p": (4, 8), "1080p": (4,)}
    assert offer.resolutions == ("360p", "720p", "1080p")
    assert offer.durations == (4, 8)
    assert offer.takes("720p", 8)
    assert not offer.takes("1080p", 8)
    assert not offer.takes("4K", 4)


def test_automatic_length_is_offered_once() -> None:
    automatic = [(offer.model, offer.mode) for offer in OFFERS if 0 in offer.durations]
    assert automatic == [("viduq2-pro", Mode.REFERENCE)]
    assert price("viduq2-pro", "reference2video", "720p", 0) is None


def test_music_stops_at_nine_seconds() -> None:
    offer = find("viduq2", "text2video")
    assert [offer.takes_bgm(seconds) for seconds in (1, 8, 9, 10)] == [True, True, False, False]
    assert find("viduq1", "text2video").takes_bgm(5)
    assert not find("viduq3-turbo", "text2video").takes_bgm(5)


def test_off_peak_and_sound() -> None:
    assert find("viduq3-pro", "text2video").takes_off_peak(audio=True)
    assert find("viduq2-pro", "img2video").takes_off_peak(audio=False)
    assert not find("viduq2-pro", "img2video").takes_off_peak(audio=True)
    assert not find("viduq3-mix", "reference2video").takes_off_peak(audio=False)


# --- Look-ups ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_recommended_model_comes_first(mode: Mode) -> None:
    assert catalog.models("vidu", mode)[0].model == "viduq3-turbo"


@pytest.mark.parametrize("mode", MODES)
def test_models_of_a_mode(mode: Mode) -> None:
    found = catalog.models("vidu", mode)
    assert {offer.mode for offer in found} == {mode}
    assert {offer.model for offer in found} == {row["model"] for row in ROWS if row["mode"] == mode}


def test_every_offer_is_found_once_and_by_its_wire_id() -> None:
    assert len({(offer.model, offer.mode) for offer in OFFERS}) == len(OFFERS)
    for offer in OFFERS:
        assert catalog.get_offer("vidu", offer.model, offer.mode) is offer
        assert catalog.get_offer("vidu", offer.wire_model, offer.mode) is offer


def test_what_is_not_offered_is_not_found() -> None:
    assert catalog.get_offer("vidu", "viduq2", Mode.IMAGE) is None
    assert catalog.get_offer("vidu", "sora", Mode.TEXT) is None
    assert catalog.get_offer("nobody", "viduq2", Mode.TEXT) is None
    assert catalog.offers("nobody") == ()


def test_every_model_is_described_and_used() -> None:
    assert {offer.model for offer in OFFERS} == set(MODELS)
    assert {(model, mode) for model, modes, *_ in PRICES for mode in modes} >= {
        (offer.model, offer.mode) for offer in OFFERS if offer.tariff
    }


# --- Self-consistency ----------------------------------------------------------------------------------------


@every_offer
def test_defaults_can_be_ordered(offer: Offer) -> None:
    assert offer.takes(offer.default_resolution, offer.default_duration)
    assert offer.default_aspect_ratio == (offer.aspect_ratios[0] if offer.aspect_ratios else "")


@every_offer
def test_offer_makes_sense(offer: Offer) -> None:
    assert offer.provider == "vidu"
    assert offer.label
    assert offer.hint
    assert "\n" not in offer.hint
    assert 0 <= offer.min_images <= offer.max_images <= 7
    assert offer.prompt_required == (offer.mode in (Mode.TEXT, Mode.REFERENCE))
    assert bool(offer.aspect_ratios) == (offer.mode in (Mode.TEXT, Mode.REFERENCE))
    assert offer.is_rec == (offer.mode in (Mode.IMAGE, Mode.START_END))
    assert offer.off_peak or not offer.off_peak_with_audio
    assert not (offer.styles and offer.mode is not Mode.TEXT)
    assert not (offer.audio_types and offer.audio in (Switch.NO, Switch.ALWAYS))
    assert not (offer.videos and offer.model != "viduq2-pro")
    assert offer.bgm is not Switch.NO or offer.bgm_max_duration is None


@every_offer
def test_every_price_of_an_offer_is_positive_and_explained(offer: Offer) -> None:
    for resolution, durations in offer.durations_by_resolution.items():
        for duration in durations:
            estimate = catalog.estimate(offer, resolution=resolution, duration=duration)
            if estimate:
                assert estimate.amount.amount > 0
                assert estimate.amount.unit is Unit.CREDIT
                assert estimate.formula.endswith(f" = {estimate.amount.amount}")
                assert estimate.price_list == catalog_vidu.PRICE_LIST


@every_offer
def test_longer_is_never_cheaper_and_off_peak_never_dearer(offer: Offer) -> None:
    for resolution, durations in offer.durations_by_resolution.items():
        amounts = [price(offer.model, offer.mode, resolution, each) for each in durations]
        known = [each for each in amounts if each is not None]
        assert known == sorted(known)
        for duration, amount in zip(durations, amounts, strict=True):
            cheaper = price(offer.model, offer.mode, resolution, duration, off_peak=True)
            assert cheaper is None or (amount is not None and cheaper < amount)


# --- Prices --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", PRICING["examples"], ids=lambda case: f"{case['model']}-{case['duration']}")
def test_worked_examples(case: dict[str, Any]) -> None:
    amount = price(case["model"], case["mode"], case["resolution"], case["duration"], off_peak=case["off_peak"])
    assert amount == (None if case["credits"] is None else Decimal(case["credits"]))
    if amount is not None:
        assert amount * catalog_vidu.USD_PER_CREDIT.worth.amount == Decimal(case["usd"])


@pytest.mark.parametrize("row", PRICING["per_second"], ids=lambda row: row["models"][0])
def test_per_second_table(row: dict[str, Any]) -> None:
    for mode in row["modes"]:
        for resolution, rate in row["normal"].items():
            assert price(row["models"][0], mode, resolution, 7) == rate * 7
        for resolution, rate in (row["off_peak"] or {}).items():
            assert price(row["models"][0], mode, resolution, 7, off_peak=True) == rate * 7


@pytest.mark.parametrize("row", PRICING["first_second_then"], ids=lambda row: row["models"][0])
def test_stepped_table(row: dict[str, Any]) -> None:
    model = row["models"][0]
    for mode in row["modes"]:
        for resolution, step in row["tiers"].items():
            seven = step["second_total"] + 5 * step["then"]
            assert price(model, mode, resolution, 1) == step["first"]
            assert price(model, mode, resolution, 2) == step["second_total"]
            assert price(model, mode, resolution, 7) == seven
            assert price(model, mode, resolution, 7, off_peak=True) == -(-seven // 2)


@pytest.mark.parametrize("row", PRICING["flat"], ids=lambda row: row["models"][0])
def test_flat_table(row: dict[str, Any]) -> None:
    for offer in OFFERS:
        if offer.model in row["models"] and offer.mode in row["modes"]:
            for place, credits in row["credits"].items():
                resolution, _, seconds = place.partition("@")
                assert price(offer.model, offer.mode, resolution, int(seconds)) == credits


def test_extras() -> None:
    extras = PRICING["extras"]
    plain = price("viduq2-turbo", "img2video", "720p", 5)
    assert plain is not None
    assert price("viduq2-turbo", "img2video", "720p", 5, audio=True) == (
        plain + extras["q2_audio_img2video_or_reference"]
    )
    assert price("viduq2-turbo", "img2video", "720p", 5, is_rec=True) == plain + extras["is_rec"]
    assert price("viduq2-turbo", "img2video", "720p", 5, is_rec=True, audio=True) == plain + 25
    assert price("viduq3-turbo", "text2video", "720p", 5, audio=True, is_rec=True) == 55


@pytest.mark.parametrize(
    ("model", "mode", "resolution", "duration", "how"),
    [
        ("viduq2-pro-fast", "img2video", "720p", 5, {}),  # no figure found
        ("viduq2-pro", "reference2video", "720p", 5, {}),
        ("vidu2.0", "reference2video", "360p", 4, {}),
        ("viduq1", "text2video", "1080p", 5, {"off_peak": True}),
        ("viduq2-turbo", "img2video", "720p", 5, {"off_peak": True, "audio": True}),  # not for sale
        ("viduq3-turbo", "text2video", "720p", 17, {}),
        ("viduq3-turbo", "text2video", "4K", 5, {}),
    ],
)
def test_unknown_prices_stay_unknown(
    model: str, mode: str, resolution: str, duration: int, how: dict[str, Any]
) -> None:
    assert price(model, mode, resolution, duration, **how) is None


@pytest.mark.parametrize(
    ("model", "mode", "resolution", "duration", "how", "formula"),
    [
        ("viduq3-turbo", "text2video", "720p", 5, {}, "11 × 5 s = 55"),
        ("viduq3-pro", "img2video", "1080p", 2, {"is_rec": True}, "24 × 2 s + 10 = 58"),
        ("viduq2-turbo", "img2video", "720p", 1, {}, "8 (1 s) = 8"),
        ("viduq2-turbo", "img2video", "720p", 2, {}, "10 (2 s) = 10"),
        ("viduq2-turbo", "img2video", "720p", 5, {"audio": True}, "10 (2 s) + 10 × 3 s + 15 = 55"),
        ("viduq2-pro", "img2video", "1080p", 1, {"off_peak": True}, "55 ÷ 2 ≈ 28"),
        ("viduq2-pro", "img2video", "1080p", 2, {"off_peak": True}, "70 ÷ 2 = 35"),
        ("viduq2-pro", "img2video", "1080p", 4, {"off_peak": True}, "(70 (2 s) + 15 × 2 s) ÷ 2 = 50"),
        ("viduq1", "text2video", "1080p", 5, {}, "80 (5 s) = 80"),
    ],
)
def test_formula(model: str, mode: str, resolution: str, duration: int, how: dict[str, Any], formula: str) -> None:
    estimate = catalog.estimate(find(model, mode), resolution=resolution, duration=duration, **how)
    assert estimate is not None
    assert estimate.formula == formula


def test_price_per_second_is_told_where_it_is_constant() -> None:
    turbo = catalog.estimate(find("viduq3-turbo", "text2video"), resolution="720p", duration=5)
    stepped = catalog.estimate(find("viduq2", "text2video"), resolution="720p", duration=5)
    assert turbo is not None
    assert stepped is not None
    assert (turbo.per_second, stepped.per_second) == (Decimal(11), None)


def test_rates() -> None:
    assert catalog_vidu.USD_PER_CREDIT.worth == Money(Decimal(PRICING["usd_per_credit"]), Unit.USD)
    assert catalog_vidu.CNY_PER_CREDIT.worth == Money(Decimal(PRICING["cny_per_credit"]), Unit.CNY)
    assert catalog_vidu.PRICE_LIST == "vidu-2026-07-10"
