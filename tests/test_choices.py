"""The composer's settings, over everything the catalogue has."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generations.choices import Option, Params, choices_for, rules
from generations.providers import PROVIDERS, catalog
from generations.providers.base import Mode
from generations.providers.catalog import Offer, Switch

OFFERS = [offer for slug in PROVIDERS for offer in catalog.offers(slug)]


def offer_id(offer: Offer) -> str:
    return f"{offer.provider}-{offer.mode}-{offer.model}"


each_offer = pytest.mark.parametrize("offer", OFFERS, ids=offer_id)


def params(offer: Offer, **wanted: Any) -> Params:
    return choices_for(catalog.stock(offer.provider), offer.mode, offer.model, wanted)


def offer_of(model: str, mode: Mode) -> Offer:
    offer = catalog.get_offer("vidu", model, mode)
    assert offer is not None
    return offer


def checked(options: tuple[Option, ...]) -> list[str]:
    return [option.value for option in options if option.checked]


def selectable(options: tuple[Option, ...]) -> list[str]:
    return [option.value for option in options if not option.disabled]


def groups(shown: Params) -> Iterator[tuple[Option, ...]]:
    yield from (shown.modes, shown.models, shown.resolutions, shown.durations)
    yield from filter(None, (shown.aspect_ratios, shown.styles, shown.movements))


@each_offer
def test_the_defaults_are_valid_and_nothing_moved(offer: Offer) -> None:
    shown = params(offer)
    assert shown.offer == offer
    assert shown.notes == ()
    assert shown.chosen is not None
    assert offer.takes(shown.chosen.resolution, shown.chosen.duration)
    assert shown.chosen.aspect_ratio == offer.default_aspect_ratio
    assert shown.chosen.audio is (offer.audio in (Switch.DEFAULT_ON, Switch.ALWAYS))


@each_offer
def test_exactly_one_value_of_each_setting_is_selected_and_it_can_be(offer: Offer) -> None:
    for options in groups(params(offer)):
        assert len(checked(options)) == 1
        assert set(checked(options)) <= set(selectable(options))


@each_offer
def test_what_can_be_chosen_is_what_the_offer_takes(offer: Offer) -> None:
    for resolution in offer.resolutions:
        shown = params(offer, resolution=resolution)
        assert set(selectable(shown.resolutions)) == set(offer.resolutions)
        assert selectable(shown.durations) == [str(each) for each in offer.durations_by_resolution[resolution]]
        assert tuple(selectable(shown.aspect_ratios)) == offer.aspect_ratios
        assert tuple(selectable(shown.styles)) == offer.styles
        assert tuple(selectable(shown.movements)) == offer.movements


@each_offer
def test_every_disabled_value_has_a_reason_and_no_other_has(offer: Offer) -> None:
    for options in groups(params(offer)):
        assert all(bool(option.reason) is option.disabled for option in options)
    for toggle in params(offer).toggles:
        assert not toggle.disabled or toggle.reason


@each_offer
def test_every_value_of_the_other_models_is_there_to_be_seen(offer: Offer) -> None:
    shown = params(offer)
    others = catalog.models(offer.provider, offer.mode)
    assert {option.value for option in shown.resolutions} == {size for each in others for size in each.resolutions}
    assert {int(option.value) for option in shown.durations} == {size for each in others for size in each.durations}
    assert [int(option.value) for option in shown.durations] == sorted(int(option.value) for option in shown.durations)


@each_offer
def test_every_valid_combination_stands_unmoved(offer: Offer) -> None:
    for resolution in offer.resolutions:
        for duration, ratio in itertools.product(
            offer.durations_by_resolution[resolution], offer.aspect_ratios or ("",)
        ):
            shown = params(offer, resolution=resolution, duration=str(duration), aspect_ratio=ratio)
            assert shown.notes == ()
            assert shown.chosen is not None
            assert (shown.chosen.resolution, shown.chosen.duration) == (resolution, duration)
            assert shown.chosen.aspect_ratio == ratio


@each_offer
def test_the_estimate_is_the_catalogues_times_the_variants(offer: Offer) -> None:
    for count in (1, 3):
        shown = params(offer, count=str(count))
        assert shown.chosen is not None
        alone = catalog.estimate(
            offer,
            resolution=shown.chosen.resolution,
            duration=shown.chosen.duration,
            audio=shown.chosen.audio,
        )
        assert shown.cost.count == count
        assert shown.cost.each == alone
        assert (shown.cost.total and shown.cost.total.amount) == (alone and alone.amount.amount * count)


def test_five_seconds_of_turbo_twice() -> None:
    cost = params(offer_of("viduq3-turbo", Mode.TEXT), duration="5", resolution="720p", count="2").cost
    assert cost.each is not None
    assert cost.total is not None
    assert cost.each.formula.startswith("11 × 5 s = 55")
    assert cost.total.amount == 110


def test_sound_and_off_peak_have_their_price() -> None:
    offer = offer_of("viduq2-turbo", Mode.IMAGE)
    quiet, loud, late = (params(offer, **wanted).cost.total for wanted in ({}, {"audio": "on"}, {"off_peak": "on"}))
    assert quiet is not None
    assert loud is not None
    assert late is not None
    assert (quiet.amount, loud.amount, late.amount) == (40, 55, 20)


def test_an_unknown_price_is_none() -> None:
    cost = params(offer_of("viduq2-pro-fast", Mode.IMAGE)).cost
    assert cost.each is None
    assert cost.total is None


@pytest.mark.parametrize("count", ["0", "-1", "5", "99999999999999999999", "x", "", "1.5", None, "²"])
def test_a_silly_number_of_variants_is_not_a_crash(count: str | None) -> None:
    assert 1 <= params(OFFERS[0], count=count).cost.count <= rules.MAX_COUNT


def test_a_length_moves_to_the_nearest_and_says_so() -> None:
    offer = offer_of("viduq2-pro-fast", Mode.START_END)
    shown = params(offer, duration="16")
    assert checked(shown.durations) == ["8"]
    assert shown.notes == ("Duration changed from 16 s to 8 s: Vidu Q2 Pro Fast takes 1–8 s.",)


@pytest.mark.parametrize(
    ("model", "mode", "wanted", "value"),
    [
        ("viduq3-mix", Mode.REFERENCE, {"resolution": "540p"}, ("resolution", "720p")),
        ("viduq3-mix", Mode.REFERENCE, {"resolution": "2K"}, ("resolution", "1080p")),
        ("viduq3-mix", Mode.REFERENCE, {"resolution": "sharp"}, ("resolution", "720p")),
        ("viduq1", Mode.TEXT, {"aspect_ratio": "3:4"}, ("aspect_ratio", "9:16")),
        ("viduq1", Mode.TEXT, {"aspect_ratio": "4:3"}, ("aspect_ratio", "16:9")),
        ("viduq1", Mode.TEXT, {"aspect_ratio": "5:4"}, ("aspect_ratio", "1:1")),
        ("viduq1", Mode.TEXT, {"aspect_ratio": "21:9"}, ("aspect_ratio", "16:9")),
        ("viduq1", Mode.TEXT, {"aspect_ratio": "1:0"}, ("aspect_ratio", "16:9")),
        ("viduq1", Mode.TEXT, {"aspect_ratio": "auto"}, ("aspect_ratio", "16:9")),
        ("viduq3-turbo", Mode.REFERENCE, {"duration": "1"}, ("duration", 3)),
        ("viduq3-turbo", Mode.REFERENCE, {"duration": "0"}, ("duration", 3)),
        ("viduq2-pro", Mode.REFERENCE, {"duration": "0"}, ("duration", 0)),
        ("viduq2-pro", Mode.REFERENCE, {"duration": 0}, ("duration", 0)),
        ("viduq2-pro", Mode.REFERENCE, {"duration": "-5"}, ("duration", 1)),
        ("viduq1", Mode.TEXT, {"style": "noir"}, ("style", "general")),
        ("viduq1", Mode.TEXT, {"movement_amplitude": "wild"}, ("movement_amplitude", "auto")),
    ],
)
def test_the_nearest_valid_value(model: str, mode: Mode, wanted: dict[str, Any], value: tuple[str, Any]) -> None:
    shown = params(offer_of(model, mode), **wanted)
    name, expected = value
    assert getattr(shown.chosen, name) == expected
    moved = str(expected) != str(wanted[name])
    assert len(shown.notes) == moved


def test_what_another_model_takes_names_that_model() -> None:
    turbo = params(offer_of("viduq3-turbo", Mode.REFERENCE))
    reasons = {option.value: option.reason for option in (*turbo.resolutions, *turbo.durations)}
    assert reasons["360p"] == "Vidu 2.0 only"
    assert reasons["0"] == "Vidu Q2 Pro only"
    assert reasons["1"] == "Vidu Q2 or Vidu Q2 Pro only"
    music = next(toggle for toggle in turbo.toggles if toggle.name == "bgm")
    assert music.disabled
    assert music.reason == "Vidu Q2 and others"


def test_a_length_of_another_resolution_names_that_resolution() -> None:
    shown = params(offer_of("vidu2.0", Mode.IMAGE), resolution="1080p")
    reasons = {option.value: option.reason for option in shown.durations}
    assert (reasons["4"], reasons["8"]) == ("", "Only at 720p")
    moved = params(offer_of("vidu2.0", Mode.IMAGE), resolution="1080p", duration="8")
    assert moved.chosen is not None
    assert moved.chosen.duration == 4
    assert moved.notes == ("Duration changed from 8 s to 4 s: Vidu 2.0 takes 4 s.",)


def test_a_model_that_the_mode_lacks_gives_way_and_says_so() -> None:
    shown = choices_for(catalog.stock("vidu"), Mode.REFERENCE, "viduq3-pro", {})
    assert shown.offer == catalog.models("vidu", Mode.REFERENCE)[0]
    assert shown.notes == (
        "Model changed from Vidu Q3 Pro to Vidu Q3 Turbo: the former is not offered for References.",
    )


def test_a_vendor_without_offers_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = choices_for(catalog.stock("nobody"), "text2video", "viduq3-pro", {"duration": "5"})
    assert shown.offer is None
    assert all(option.disabled and option.reason for option in shown.modes)
    assert shown.notes == ("Nothing can be ordered from nobody yet.",)


def test_a_mode_that_the_vendor_lacks_gives_way() -> None:
    text = tuple(offer for offer in OFFERS if offer.mode is Mode.TEXT)
    shown = choices_for(catalog.Stock("vidu", text), "img2video", "", {})
    assert checked(shown.modes) == ["text2video"]
    assert [option.disabled for option in shown.modes] == [False, True, True, True]
    assert shown.notes == ("Changed from Image to Text: Vidu does not offer the former.",)


# --- Switches ------------------------------------------------------------------------------------------------


def toggle(shown: Params, name: str) -> Any:
    return next(each for each in shown.toggles if each.name == name)


def test_sound_is_on_where_that_is_the_default_and_can_be_refused() -> None:
    offer = offer_of("viduq3-pro", Mode.TEXT)
    assert toggle(params(offer), "audio").checked
    off = params(offer, audio="off")
    assert not toggle(off, "audio").checked
    assert off.notes == ()


def test_sound_that_cannot_be_refused_is_shown_as_such() -> None:
    mix = offer_of("viduq3-mix", Mode.REFERENCE)
    shown = toggle(params(mix), "audio")
    assert (shown.checked, shown.disabled, shown.reason) == (True, True, "Vidu Q3 Mix always makes sound.")
    moved = params(mix, audio="off")
    assert toggle(moved, "audio").checked
    assert moved.notes == ("Sound switched on: Vidu Q3 Mix always makes sound.",)


def test_sound_of_a_silent_model_is_switched_off() -> None:
    shown = params(offer_of("viduq2", Mode.TEXT), audio="on")
    assert shown.notes == ("Sound switched off: Vidu Q2 makes clips without sound.",)
    assert toggle(shown, "audio").disabled
    assert not toggle(shown, "audio").checked


def test_music_ends_where_clips_get_too_long() -> None:
    offer = offer_of("viduq2", Mode.TEXT)
    assert toggle(params(offer, duration="8", bgm="on"), "bgm").checked
    longer = params(offer, duration="9", bgm="on")
    assert longer.notes == ("Background music switched off: Vidu Q2 adds background music only up to 8 s.",)
    assert toggle(longer, "bgm").disabled


def test_off_peak_and_sound_exclude_each_other_where_the_vendor_says_so() -> None:
    q2, q3 = offer_of("viduq2-turbo", Mode.IMAGE), offer_of("viduq3-turbo", Mode.IMAGE)
    assert params(q3, audio="on", off_peak="on").notes == ()
    assert params(q2, audio="off", off_peak="on").notes == ()
    both = params(q2, audio="on", off_peak="on")
    assert len(both.notes) == 1
    assert "only without sound" in both.notes[0]
    assert toggle(both, "audio").checked
    assert not toggle(both, "off_peak").checked
    assert toggle(params(q2, audio="on"), "off_peak").disabled


@pytest.mark.parametrize("value", ["perhaps", "2", "onn"])
def test_a_switch_that_cannot_be_read_is_the_default(value: str) -> None:
    assert toggle(params(offer_of("viduq3-pro", Mode.TEXT), audio=value), "audio").checked


def test_settings_without_effect_leave_without_a_note_unless_something_is_lost() -> None:
    offer = offer_of("viduq3-pro", Mode.TEXT)
    assert params(offer, style="general", movement_amplitude="auto").notes == ()
    assert params(offer, style="anime").notes == ("Style has no effect with Vidu Q3 Pro.",)


# --- Pictures ------------------------------------------------------------------------------------------------


@each_offer
def test_slots_are_as_many_as_pictures(offer: Offer) -> None:
    pictures = params(offer).pictures
    assert len(pictures.slots) == pictures.most == offer.max_images
    assert len({slot.id for slot in pictures.slots}) == len(pictures.slots)
    assert pictures.named is (offer.mode is Mode.START_END)


def test_the_slots_of_a_frame_pair_have_names_and_references_their_tokens() -> None:
    frames = params(offer_of("viduq3-pro", Mode.START_END)).pictures.slots
    assert [(slot.upload, slot.kept, slot.label) for slot in frames] == [
        ("first_image", "first_asset", "First frame"),
        ("last_image", "last_asset", "Last frame"),
    ]
    references = params(offer_of("viduq3", Mode.REFERENCE)).pictures.slots
    assert [slot.label for slot in references] == [f"@Image{place}" for place in range(1, 8)]
    assert {slot.upload for slot in references} == {"images"}


# --- Anything at all -----------------------------------------------------------------------------------------

WORDS = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.integers(),
    st.floats(),
    st.sampled_from(["on", "off", "720p", "16:9", "5", "0", "4", "nan", "inf", "-1", "1e400", ":", "p", "K"]),
)
NAMES = st.sampled_from(
    ["resolution", "duration", "aspect_ratio", "style", "movement_amplitude", "audio", "bgm", "off_peak", "count"]
)


@given(
    provider=st.sampled_from([*PROVIDERS, "nobody", ""]),
    mode=st.one_of(st.sampled_from(Mode), st.text(max_size=5)),
    model=st.one_of(st.sampled_from([offer.model for offer in OFFERS]), st.text(max_size=60)),
    wanted=st.dictionaries(NAMES, WORDS),
)
def test_whatever_is_asked_for_the_answer_can_be_bought(
    provider: str, mode: str, model: str, wanted: dict[str, Any]
) -> None:
    shown = choices_for(catalog.stock(provider), mode, model, wanted)
    if shown.offer is None:
        assert not catalog.offers(provider)
        return
    chosen = shown.chosen
    assert chosen is not None
    assert shown.offer.takes(chosen.resolution, chosen.duration)
    assert chosen.aspect_ratio in (shown.offer.aspect_ratios or ("",))
    assert not chosen.off_peak or shown.offer.takes_off_peak(audio=chosen.audio)
    assert not chosen.bgm or shown.offer.takes_bgm(chosen.duration)
    again = choices_for(
        catalog.stock(provider),
        shown.offer.mode,
        shown.offer.model,
        {name: getattr(chosen, name) for name in ("resolution", "duration", "aspect_ratio", *rules.SWITCHES)},
    )
    assert again.notes == ()
    assert again.chosen is not None
    assert (again.chosen.resolution, again.chosen.duration) == (chosen.resolution, chosen.duration)


@given(st.sets(st.integers(0, 20), min_size=1))
def test_lengths_in_words_name_each_end(durations: set[int]) -> None:
    words = rules.seconds_words(durations)
    real = durations - {0}
    assert ("automatic" in words) is (0 in durations)
    for each in (min(real), max(real)) if real else ():
        assert str(each) in words
