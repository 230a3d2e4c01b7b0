"""Generate: everything the catalogue offers is accepted, everything beside it is refused at its field."""

import itertools
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from django.utils import translation
from django.utils.datastructures import MultiValueDict
from pytest_django import DjangoAssertNumQueries, Settings

from generations import assets
from generations.choices import rules
from generations.forms import GenerateForm, remix_of
from generations.forms.checks import MAX_SEED, ROOM_FOR_THE_REST, settings_problems
from generations.models import (
    Asset,
    CatalogueEntry,
    KeyProblem,
    KeyState,
    ProviderKey,
    Task,
    TaskInput,
    TaskState,
    User,
    Visibility,
)
from generations.providers import PROVIDERS, catalog
from generations.providers.base import Mode
from generations.providers.catalog import Offer, Switch
from generations.stock import stock_of
from tests.factories import make_asset, make_key, make_task, picture_bytes

OFFERS = [offer for slug in PROVIDERS for offer in catalog.offers(slug)]
each_offer = pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: f"{offer.provider}-{offer.mode}-{offer.model}")


def offer_of(model: str, mode: Mode) -> Offer:
    offer = catalog.get_offer("vidu", model, mode)
    assert offer is not None
    return offer


TEXT, IMAGE = offer_of("viduq3-turbo", Mode.TEXT), offer_of("viduq3-turbo", Mode.IMAGE)
FRAMES, REFERENCES = offer_of("viduq3-turbo", Mode.START_END), offer_of("viduq3-turbo", Mode.REFERENCE)


def order(offer: Offer, pictures: list[Asset] | None = None, **over: Any) -> dict[str, Any]:
    """A small valid order."""
    kept = [str(picture.pk) for picture in pictures or ()]
    return {
        "request_id": str(uuid.uuid4()),
        "mode": offer.mode.value,
        "model": offer.model,
        "prompt": "A paper boat crosses a puddle",
        "asset": kept,
        **over,
    }


def upload(name: str = "frame.jpg", **picture: Any) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, picture_bytes(**picture))


def files(**named: Any) -> Any:
    return MultiValueDict({name: each if isinstance(each, list) else [each] for name, each in named.items()})


def form_for(user: User, data: dict[str, Any], sent: Any = None) -> GenerateForm:
    return GenerateForm(data, sent or files(), user=user)


def errors(form: GenerateForm) -> dict[str, str]:
    return {field: " ".join(map(str, texts)) for field, texts in form.errors.items()}


def accepted(user: User, data: dict[str, Any], sent: Any = None) -> GenerateForm:
    form = form_for(user, data, sent)
    assert errors(form) == {}
    return form


@pytest.fixture
def pictures(alice: User) -> list[Asset]:
    return [make_asset(alice, colour=f"#{30 * shade:02x}4060") for shade in range(8)]


# --- Over the whole catalogue --------------------------------------------------------------------------------


def seller(offer: Offer) -> ProviderKey:
    """A key of the vendor that has the offer, on this machine, so that it could fetch pictures from us."""
    return make_key(f"Key of {offer.provider}", provider=offer.provider)


@each_offer
def test_every_valid_choice_is_accepted(offer: Offer, alice: User, pictures: list[Asset]) -> None:
    seller(offer)
    base = order(offer, pictures[: offer.min_images])
    for resolution, lengths in offer.durations_by_resolution.items():
        for duration in lengths:
            asked = {"prompt": base["prompt"], "resolution": resolution, "duration": duration}
            assert list(settings_problems(offer, asked)) == []
        for duration in {min(lengths), max(lengths)}:
            accepted(alice, {**base, "resolution": resolution, "duration": str(duration)})
    for name, values in (
        ("aspect_ratio", offer.aspect_ratios),
        ("style", offer.styles),
        ("movement_amplitude", offer.movements),
        ("count", range(1, 5)),
        ("seed", (0, 1, MAX_SEED) if offer.seed else (0,)),
        ("meta_data", ('{"Label": "AI"}',) if offer.meta_data else ()),
    ):
        for value in values:
            accepted(alice, {**base, name: str(value)})
    for name, on, values in (
        ("audio_type", {"audio": "on"}, offer.audio_types),
        ("wm_position", {"watermark": "on"}, rules.allowed_values(offer, "wm_position")),
        ("wm_url", {"watermark": "on"}, ("https://assets.example/mark.png",) if offer.watermark else ()),
    ):
        for value in values:
            accepted(alice, {**base, **on, name: value})
    for number in range(offer.min_images, offer.max_images + 1):
        accepted(alice, order(offer, pictures[:number]))


@each_offer
def test_every_neighbour_of_what_is_valid_is_refused_at_its_field(
    offer: Offer, alice: User, pictures: list[Asset]
) -> None:
    seller(offer)
    base = order(offer, pictures[: offer.min_images])
    for name, value in wrong_values(offer):
        form = form_for(alice, {**base, name: value})
        assert list(form.errors) == [name], (name, value, form.errors)
        assert errors(form)[name].endswith((".", "!")), errors(form)


def wrong_values(offer: Offer) -> Iterator[tuple[str, str]]:
    resolution = offer.default_resolution
    lengths = offer.durations_by_resolution[resolution]
    for duration in {min(lengths) - 1, max(lengths) + 1, -1, 10_000, *range(min(lengths), max(lengths))} - {*lengths}:
        yield "duration", str(duration)
    yield from (("duration", word) for word in ("five", "5.5", "nan"))
    for size in {"360p", "540p", "720p", "1080p", "2K", "16K", "1080P", "<b>"} - {*offer.resolutions}:
        yield "resolution", size
    for ratio in {"16:9", "9:16", "3:4", "4:3", "1:1", "21:9", "auto"} - {*offer.aspect_ratios}:
        yield "aspect_ratio", ratio
    for style in {"general", "anime", "noir"} - {*offer.styles}:
        yield "style", style
    for movement in {"auto", "small", "medium", "large", "wild"} - {*offer.movements}:
        yield "movement_amplitude", movement
    yield from (("count", word) for word in ("0", "5", "-1", "x"))
    yield from (("seed", word) for word in ("-1", str(MAX_SEED + 1), "x", "1.5"))
    yield from (("mode", word) for word in ("", "video2text", "TEXT2VIDEO"))
    yield from (("model", word) for word in ("", "sora", f"{offer.model} "[:-2]))
    yield "prompt", "x" * (offer.prompt_max + 1)
    if offer.prompt_required:
        yield from (("prompt", word) for word in ("", "  \n "))
    yield from (("visibility", "world"), ("request_id", "1"), ("remix_of", "1"), ("remix_of", str(uuid.uuid4())))
    yield from (("audio", "maybe"), ("bgm", "2"), ("off_peak", "x"), ("key", "999999"), ("is_rec", "5"))
    yield from wrong_extras(offer)
    if not offer.min_images:
        yield "asset", "x"


def wrong_extras(offer: Offer) -> Iterator[tuple[str, str]]:
    """Settings that pass through to the vendor, where it does not take them or not like this."""
    for kind in {"all", "speech_only", "sound_effect_only", "loud"} - {*offer.audio_types}:
        yield "audio_type", kind
    for corner in {"0", "1", "2", "4", "5", "x"}:
        yield "wm_position", corner  # without the watermark itself
    yield from (("wm_url", "https://assets.example/mark.png"), ("wm_url", "no address"))
    yield from (("meta_data", word) for word in ("x", "[]", '{"Label": 1}', '{"Odd": "1"}', "[" * 5000))
    if not offer.meta_data:
        yield "meta_data", '{"Label": "AI"}'
    if not offer.watermark:
        yield "watermark", "on"
    if not offer.is_rec:
        yield "is_rec", "on"
    if not offer.seed:
        yield "seed", "7"


def turning_points(offer: Offer) -> set[int]:
    """The lengths beside which something changes."""
    lengths = offer.durations_by_resolution[offer.default_resolution]
    last = offer.bgm_max_duration or lengths[0]
    return {lengths[0], lengths[-1], *({last, last + 1} & {*lengths})}


@each_offer
def test_switches_are_refused_exactly_where_the_offer_has_none(
    offer: Offer, alice: User, pictures: list[Asset]
) -> None:
    seller(offer)
    base = order(offer, pictures[: offer.min_images])
    for audio, bgm, off_peak, duration in itertools.product(
        ("on", "off"), ("on", "off"), ("on", "off"), turning_points(offer)
    ):
        asked = {"audio": audio, "bgm": bgm, "off_peak": off_peak, "duration": str(duration)}
        wrong = set()
        never = offer.audio in (Switch.NO, Switch.UNSAID)
        if (audio == "on" and never) or (audio == "off" and offer.audio is Switch.ALWAYS):
            wrong.add("audio")
        if bgm == "on" and not offer.takes_bgm(duration):
            wrong.add("bgm")
        if off_peak == "on" and not offer.takes_off_peak(audio=audio == "on"):
            wrong.add("off_peak")
        assert set(form_for(alice, {**base, **asked}).errors) == wrong


@each_offer
def test_what_is_left_out_takes_the_default(offer: Offer, alice: User, pictures: list[Asset]) -> None:
    seller(offer)
    form = accepted(alice, order(offer, pictures[: offer.min_images]))
    [task] = form.save()
    assert (task.resolution, task.duration) == (offer.default_resolution, offer.default_duration)
    assert task.aspect_ratio == offer.default_aspect_ratio
    wire = offer.wire_id(offer.default_resolution, offer.default_duration, off_peak=False)
    assert (task.model, task.wire_model, task.mode) == (offer.model, wire, offer.mode)
    assert (task.provider, task.unit) == (offer.provider, PROVIDERS[offer.provider].unit)
    assert task.audio is {Switch.OPTIONAL: False, Switch.DEFAULT_ON: True}.get(offer.audio)
    assert (task.off_peak, task.options, task.seed) == (False, {}, None)
    assert task.visibility == Visibility.TEAM
    assert [each.asset for each in task.task_inputs.all()] == pictures[: offer.min_images]


@each_offer
def test_the_page_shows_what_will_be_made(offer: Offer, alice: User, pictures: list[Asset]) -> None:
    """Without a word from the person, page and order agree to the last setting and credit."""
    key = seller(offer)
    form = accepted(alice, order(offer, pictures[: offer.min_images]))
    shown, [task] = form.params, form.save()
    assert shown.offer == stock_of(key).get(offer.model, offer.mode)
    assert shown.notes == ()
    assert shown.chosen is not None
    assert (shown.chosen.resolution, shown.chosen.duration) == (task.resolution, task.duration)
    assert (shown.cost.each and shown.cost.each.amount.amount) == task.estimate


# --- Sentences -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offer", "over", "field", "sentence"),
    [
        (TEXT, {"duration": "17"}, "duration", "Vidu Q3 Turbo takes 1–16 s."),
        (TEXT, {"resolution": "360p"}, "resolution", "Vidu Q3 Turbo takes 540p, 720p or 1080p."),
        (TEXT, {"aspect_ratio": "2:1"}, "aspect_ratio", "Vidu Q3 Turbo takes 16:9, 9:16, 3:4, 4:3 or 1:1."),
        (TEXT, {"prompt": ""}, "prompt", "Write a prompt: Vidu Q3 Turbo needs one."),
        (
            TEXT,
            {"prompt": "x" * 5012},
            "prompt",
            "The prompt has 5012 characters; Vidu Q3 Turbo takes at most 5000 here.",
        ),
        (TEXT, {"bgm": "on"}, "bgm", "Vidu Q3 Turbo adds no background music."),
        (TEXT, {"style": "anime"}, "style", "Vidu Q3 Turbo has no setting “Style”: leave it out."),
        (
            TEXT,
            {"model": "viduq3-mix"},
            "model",
            "Vidu Q3 Mix is not offered for “Text”. Choose Vidu Q3 Turbo, Vidu Q3 Pro, Vidu Q2 or Vidu Q1.",
        ),
        (
            TEXT,
            {"seed": str(MAX_SEED), "count": "3"},
            "seed",
            f"With 3 variants the seed may be at most {MAX_SEED - 2}: each variant adds one.",
        ),
        (
            offer_of("vidu2.0", Mode.IMAGE),
            {"duration": "8", "resolution": "1080p"},
            "duration",
            "Vidu 2.0 takes 4 s at 1080p.",
        ),
        (
            offer_of("viduq2-turbo", Mode.IMAGE),
            {"audio": "on", "off_peak": "on"},
            "off_peak",
            "Vidu Q2 Turbo is offered off-peak only without sound.",
        ),
        (IMAGE, {"aspect_ratio": "16:9"}, "aspect_ratio", "The picture decides the aspect ratio here: leave it out."),
        (TEXT, {"mode": "x"}, "mode", "There is no such mode."),
    ],
)
def test_an_error_says_what_is_allowed(
    offer: Offer, over: dict[str, str], field: str, sentence: str, alice: User, key: ProviderKey, pictures: list[Asset]
) -> None:
    form = form_for(alice, order(offer, pictures[: offer.min_images], **over))
    assert list(form.errors) == [field]
    assert errors(form)[field].startswith(sentence)


def test_several_faults_are_all_told_at_once(alice: User, key: ProviderKey) -> None:
    form = form_for(alice, order(IMAGE, prompt="x" * 9000, duration="99", seed="-4", count="9"))
    assert set(form.errors) == {"prompt", "duration", "seed", "count", "images"}


def test_line_ends_count_once(alice: User, key: ProviderKey) -> None:
    prompt = "a\r\n" * 2500
    form = accepted(alice, order(TEXT, prompt=prompt[:-2]))
    assert form.cleaned_data["prompt"].count("\n") == 2499
    assert "\r" not in form.cleaned_data["prompt"]


def test_sentences_can_be_had_in_another_language(alice: User, key: ProviderKey) -> None:
    with translation.override("zh-hans"):
        form = form_for(alice, order(TEXT, duration="99"))
        assert "1–16" in errors(form)["duration"]
        assert form.params.notes


# --- Pictures ------------------------------------------------------------------------------------------------


def test_uploads_become_inputs_in_their_order(alice: User, key: ProviderKey) -> None:
    sent = files(images=[upload("a.jpg", colour="#111111"), upload("b.jpg", colour="#eeeeee")])
    [task] = accepted(alice, order(REFERENCES), sent).save()
    assert [each.asset.name for each in task.task_inputs.all()] == ["a.jpg", "b.jpg"]


def test_first_and_last_frame_have_their_own_fields(alice: User, key: ProviderKey) -> None:
    sent = files(last_image=upload("last.jpg", colour="#111111"), first_image=upload("first.jpg", colour="#eeeeee"))
    [task] = accepted(alice, order(FRAMES), sent).save()
    assert [each.asset.name for each in task.task_inputs.all()] == ["first.jpg", "last.jpg"]


@pytest.mark.parametrize(
    ("offer", "number", "field", "words"),
    [
        (TEXT, 1, "images", "No picture can be used here"),
        (IMAGE, 0, "images", "Choose a picture."),
        (IMAGE, 2, "images", "takes only 1 picture here, and there are 2."),
        (FRAMES, 1, "last_image", "Choose the last frame."),
        (FRAMES, 3, "images", "Only a first and a last frame"),
        (REFERENCES, 0, "images", "Choose a picture."),
        (REFERENCES, 8, "images", "takes only 7 pictures here, and there are 8."),
    ],
)
def test_the_number_of_pictures_is_checked(
    offer: Offer, number: int, field: str, words: str, alice: User, key: ProviderKey, pictures: list[Asset]
) -> None:
    form = form_for(alice, order(offer, pictures[:number]))
    assert list(form.errors) == [field]
    assert words in errors(form)[field]


def test_both_frames_are_missed_at_their_own_fields(alice: User, key: ProviderKey) -> None:
    assert set(form_for(alice, order(FRAMES)).errors) == {"first_image", "last_image"}


def test_frames_of_unlike_shape_are_refused_with_their_sizes(alice: User, key: ProviderKey) -> None:
    sent = files(first_image=upload(width=400, height=200), last_image=upload(width=200, height=400))
    form = form_for(alice, order(FRAMES), sent)
    assert list(form.errors) == ["last_image"]
    assert "400 × 200 and 200 × 400" in errors(form)["last_image"]
    assert len([each for each in form.slots if each.asset]) == 2


def test_a_bad_picture_is_named_and_the_good_ones_are_kept(alice: User, key: ProviderKey) -> None:
    sent = files(images=[upload("good.jpg"), SimpleUploadedFile("bad.svg", b"<svg/>")])
    form = form_for(alice, order(REFERENCES), sent)
    assert list(form.errors) == ["images"]
    assert errors(form)["images"].startswith("bad.svg: This file cannot be read")
    kept = [each.asset for each in form.slots if each.asset]
    assert [asset.name for asset in kept] == ["good.jpg"]
    # The page sends the kept one back by its id.
    [task] = accepted(alice, order(REFERENCES, kept)).save()
    assert task.task_inputs.get().asset == kept[0]


def test_an_empty_file_is_a_sentence_too(alice: User, key: ProviderKey) -> None:
    form = form_for(alice, order(IMAGE), files(images=SimpleUploadedFile("none.png", b"")))
    assert errors(form) == {"images": "none.png: This file is empty."}


def test_a_failed_submit_loses_no_frame_and_no_place(alice: User, key: ProviderKey) -> None:
    bad = SimpleUploadedFile("first.gif", b"GIF89a")
    form = form_for(alice, order(FRAMES, duration="99"), files(first_image=bad, last_image=upload("last.jpg")))
    assert set(form.errors) == {"first_image", "duration"}
    [first, last] = form.slots
    assert first.asset is None
    assert last.asset is not None
    assert (first.slot.kept, last.slot.kept) == ("first_asset", "last_asset")
    again = order(FRAMES, last_asset=str(last.asset.pk))
    [task] = accepted(alice, again, files(first_image=upload("first.jpg", colour="#222222"))).save()
    assert [each.asset.name for each in task.task_inputs.all()] == ["first.jpg", "last.jpg"]


def test_a_wrong_prompt_does_not_cost_the_picture(alice: User, key: ProviderKey) -> None:
    form = form_for(alice, order(IMAGE, model="sora"), files(images=upload()))
    assert list(form.errors) == ["model"]
    assert form.slots[0].asset == Asset.objects.get()


def test_a_new_picture_takes_the_place_of_the_kept_one(alice: User, key: ProviderKey, pictures: list[Asset]) -> None:
    [single] = accepted(alice, order(IMAGE, pictures[:1]), files(images=upload("new.jpg"))).save()
    assert single.task_inputs.get().asset.name == "new.jpg"
    kept = {"first_asset": str(pictures[0].pk), "last_asset": str(pictures[1].pk)}
    [frames] = accepted(alice, order(FRAMES, **kept), files(first_image=upload("new.jpg"))).save()
    assert [each.asset.name for each in frames.task_inputs.all()] == ["new.jpg", "frame.jpg"]


def test_an_upload_fills_the_place_left_free(alice: User, key: ProviderKey, pictures: list[Asset]) -> None:
    row = [str(pictures[0].pk), "", str(pictures[1].pk), ""]
    form = accepted(alice, order(REFERENCES, asset=row), files(images=upload("new.jpg")))
    assert [asset.name for asset in form.pictures if asset] == ["frame.jpg", "new.jpg", "frame.jpg"]


def test_frames_may_also_come_as_a_plain_list(alice: User, key: ProviderKey, pictures: list[Asset]) -> None:
    """As the command line has them, or a change of mode with pictures chosen."""
    [task] = accepted(alice, order(FRAMES, pictures[:2])).save()
    assert [each.asset for each in task.task_inputs.all()] == pictures[:2]
    kept = {"first_asset": str(pictures[0].pk)}
    [other] = accepted(alice, order(IMAGE, **kept)).save()
    assert other.task_inputs.get().asset == pictures[0]


def test_pictures_of_others_can_be_used_only_where_they_are_seen(alice: User, bob: User, key: ProviderKey) -> None:
    hidden = make_asset(bob)
    form = form_for(alice, order(IMAGE, [hidden]))
    assert "not there any more" in errors(form)["asset"]
    assert "images" in form.errors
    TaskInput.objects.create(task=make_task(bob), asset=hidden, position=0)
    accepted(alice, order(IMAGE, [hidden]))


def test_more_uploads_than_any_mode_takes_are_not_even_looked_at(
    alice: User, key: ProviderKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[None] = []

    def store_upload(*args: Any) -> Asset:
        looked.append(None)
        return make_asset(alice, colour=f"#{25 * (len(looked) % 10):02x}0000")

    monkeypatch.setattr(assets, "store_upload", store_upload)
    form = form_for(alice, order(REFERENCES), files(images=[upload() for _ in range(40)]))
    assert errors(form) == {"images": "At most 10 pictures at once."}
    assert len(looked) == 10


def test_together_they_must_fit_into_one_request(alice: User, key: ProviderKey, pictures: list[Asset]) -> None:
    limit = key.translator.max_body_bytes - ROOM_FOR_THE_REST
    fitting = (limit // 2 - 40) // 4 * 3
    Asset.objects.filter(pk__in=[each.pk for each in pictures[:2]]).update(size=fitting)
    accepted(alice, order(REFERENCES, pictures[:2]))
    Asset.objects.filter(pk=pictures[0].pk).update(size=fitting + 200)
    form = form_for(alice, order(REFERENCES, pictures[:2]))
    assert list(form.errors) == ["images"]
    assert "Vidu takes 19.9 MB at once" in errors(form)["images"]


# --- Keys ----------------------------------------------------------------------------------------------------


def test_the_only_key_need_not_be_named(alice: User, key: ProviderKey) -> None:
    [task] = accepted(alice, order(TEXT)).save()
    assert task.key == key


def test_of_several_keys_the_one_used_last_is_the_usual_one(alice: User, bob: User, key: ProviderKey) -> None:
    other = make_key("Another")
    assert GenerateForm(user=bob).chosen_key == other  # the first by name
    make_task(bob, key=key)
    assert GenerateForm(user=bob).chosen_key == key
    [task] = accepted(bob, order(TEXT)).save()
    assert task.key == key
    assert accepted(bob, order(TEXT, key=str(other.pk))).save()[0].key == other
    assert accepted(bob, order(TEXT, key="Another")).save()[0].key == other
    assert accepted(bob, order(TEXT, key=other.pk)).chosen_key == other


@pytest.mark.parametrize(
    "trouble",
    [
        {"state": KeyState.DRAINING},
        {"state": KeyState.DISABLED},
        {"problem": KeyProblem.AUTH},
        {"problem": KeyProblem.CREDITS},
    ],
)
def test_a_key_that_takes_no_work_is_refused_with_those_that_do(
    alice: User, key: ProviderKey, trouble: dict[str, str]
) -> None:
    out = make_key("Out", **trouble)
    form = form_for(alice, order(TEXT, key=str(out.pk)))
    assert errors(form) == {"key": "This key takes no new work. Choose “Studio”."}
    assert form.keys == [key]


def test_without_any_key_it_says_whom_to_ask_and_still_shows_the_page(alice: User) -> None:
    form = form_for(alice, order(TEXT))
    assert "administrator" in errors(form)["key"]
    assert form.params.offer is not None
    assert GenerateForm(user=alice).params.offer is not None


# --- Saving --------------------------------------------------------------------------------------------------


def test_everything_asked_for_arrives_in_the_task(alice: User, key: ProviderKey) -> None:
    q1 = offer_of("viduq1", Mode.TEXT)
    asked = {
        "aspect_ratio": "9:16",
        "style": "anime",
        "movement_amplitude": "large",
        "bgm": "on",
        "off_peak": "on",
        "seed": "7",
        "count": "3",
        "visibility": "private",
    }
    tasks = accepted(alice, order(q1, **asked)).save()
    assert [task.seed for task in tasks] == [7, 8, 9]
    for task in tasks:
        assert task.options == {"style": "anime", "movement_amplitude": "large", "bgm": True}
        assert (task.aspect_ratio, task.off_peak, task.audio) == ("9:16", True, None)
        assert (task.visibility, task.owner, task.state) == ("private", alice, TaskState.WAITING)


def test_refused_sound_is_sent_as_such(alice: User, key: ProviderKey) -> None:
    [task] = accepted(alice, order(TEXT, audio="off")).save()
    assert task.audio is False


def test_the_last_word_of_a_switch_counts(alice: User, key: ProviderKey) -> None:
    """A page sends a hidden "off" and, when ticked, an "on" behind it."""
    data = QueryDict(mutable=True)
    data.update({name: value for name, value in order(TEXT).items() if name != "asset"})
    data.setlist("audio", ["off", "on"])
    assert accepted(alice, data).cleaned_data["audio"] is True  # type: ignore[arg-type]
    data.setlist("audio", ["off"])
    assert accepted(alice, data).cleaned_data["audio"] is False  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", ["", "0"])
def test_no_seed_and_seed_0_are_random(alice: User, key: ProviderKey, seed: str) -> None:
    assert {task.seed for task in accepted(alice, order(TEXT, seed=seed, count="2")).save()} == {None}


def test_a_second_press_returns_the_first_tasks(alice: User, key: ProviderKey) -> None:
    asked = order(TEXT, count="2")
    first, second = accepted(alice, asked).save(), accepted(alice, asked).save()
    assert first == second
    assert Task.objects.count() == 2


def test_a_request_id_of_somebody_else_is_refused(alice: User, bob: User, key: ProviderKey) -> None:
    asked = order(TEXT)
    accepted(alice, asked).save()
    assert list(form_for(bob, asked).errors) == ["request_id"]


def test_an_invalid_form_makes_nothing(alice: User, key: ProviderKey) -> None:
    form = form_for(alice, order(TEXT, duration="99"))
    with pytest.raises(ValueError, match="valid form"):
        form.save()
    assert not Task.objects.exists()
    with pytest.raises(ValueError, match="valid form"):
        GenerateForm(user=alice).save()


def test_each_empty_form_has_its_own_request_id_and_keeps_it(alice: User, key: ProviderKey) -> None:
    one, two = GenerateForm(user=alice), GenerateForm(user=alice)
    assert one["request_id"].value() == one["request_id"].value() != two["request_id"].value()


# --- Remix ---------------------------------------------------------------------------------------------------


@each_offer
def test_a_remix_is_the_same_order_but_for_its_seed(
    offer: Offer, alice: User, bob: User, pictures: list[Asset]
) -> None:
    seller(offer)
    asked = {
        "resolution": offer.resolutions[-1],
        "seed": "9" if offer.seed else "",
        "style": offer.styles[-1] if offer.styles else "",
    }
    asked["aspect_ratio"] = offer.aspect_ratios[-1] if offer.aspect_ratios else ""
    if offer.audio is Switch.DEFAULT_ON:
        asked["audio"] = "off"
    [task] = accepted(alice, order(offer, pictures[: offer.min_images], **asked)).save()
    again = GenerateForm(user=bob, initial=remix_of(task))
    assert again.params.notes == ()
    assert [each.asset for each in again.slots if each.asset] == pictures[: offer.min_images]
    assert not again["seed"].value()
    sent = {**remix_of(task), "request_id": str(uuid.uuid4())}
    [copy] = accepted(bob, sent).save()
    same = ("mode", "model", "prompt_text", "resolution", "duration", "aspect_ratio", "audio", "off_peak", "options")
    assert {name: getattr(copy, name) for name in same} == {name: getattr(task, name) for name in same}
    assert [each.asset for each in copy.task_inputs.all()] == pictures[: offer.min_images]
    assert (copy.remix_of, copy.seed, copy.owner) == (task, None, bob)


def test_a_remix_can_be_kept_in_an_address(alice: User, key: ProviderKey) -> None:
    assert json.loads(json.dumps(remix_of(make_task(alice))))["mode"] == "text2video"


def test_a_remix_of_what_is_hidden_is_refused(alice: User, bob: User, key: ProviderKey) -> None:
    hidden = make_task(bob, visibility=Visibility.PRIVATE)
    form = form_for(alice, order(TEXT, remix_of=str(hidden.pk)))
    assert "not there any more" in errors(form)["remix_of"]


# --- The page ------------------------------------------------------------------------------------------------


def test_initial_values_that_are_nonsense_are_only_nonsense(alice: User, key: ProviderKey) -> None:
    nonsense = dict.fromkeys(GenerateForm.base_fields, "é?")
    form = GenerateForm(user=alice, initial=nonsense)
    assert form.params.offer is not None
    assert all(each.asset is None for each in form.slots)
    frames = GenerateForm(user=alice, initial={"mode": "start-end2video", "first_asset": "x", "last_asset": None})
    assert [each.asset for each in frames.slots] == [None, None]


def test_a_form_costs_few_queries(
    alice: User, key: ProviderKey, pictures: list[Asset], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(4):
        assert GenerateForm(user=alice).params.offer
    with django_assert_max_num_queries(9):
        form = accepted(alice, order(REFERENCES, pictures[:7]))
        assert form.params.offer
        assert form.slots


def test_every_switch_and_setting_has_its_words() -> None:
    for name in (*rules.SWITCHES, "resolution", "duration", "aspect_ratio", "style", "movement_amplitude"):
        assert rules.setting_label(name)


# --- Vendors' own ids, and what passes through ---------------------------------------------------------------


def test_what_passes_through_arrives_in_the_task(alice: User, key: ProviderKey) -> None:
    extras = {"watermark": "on", "wm_position": "2", "wm_url": "https://assets.example/mark.png"}
    label = '{"Label": "AI", "ProduceID": "7"}'
    [task] = accepted(alice, order(TEXT, **extras, meta_data=label)).save()
    assert task.options == {
        "watermark": True,
        "wm_position": 2,
        "wm_url": "https://assets.example/mark.png",
        "meta_data": label,
    }
    again = remix_of(task)
    assert (again["watermark"], again["wm_position"], again["meta_data"]) == ("on", "2", label)


def test_a_prompt_by_the_vendor_is_in_the_estimate(alice: User, key: ProviderKey, pictures: list[Asset]) -> None:
    plain = accepted(alice, order(IMAGE, pictures[:1]))
    written = accepted(alice, order(IMAGE, pictures[:1], is_rec="on"))
    [task] = written.save()
    assert task.options == {"is_rec": True}
    assert task.estimate is not None
    assert plain.params.cost.each is not None
    assert task.estimate == plain.params.cost.each.amount.amount + 10
    assert written.params.cost.each is not None
    assert written.params.cost.each.amount.amount == task.estimate


TIERED = {"provider": "vidu", "mode": "text2video", "model": "house-tiered", "like": "viduq3-turbo"}


def test_the_vendors_id_brings_its_settings(alice: User, key: ProviderKey) -> None:
    CatalogueEntry.objects.create(**TIERED, wire_model="tiered-{resolution}-{duration}s{off_peak}")
    [task] = accepted(alice, order(TEXT, model="tiered-1080p-7s-offpeak")).save()
    assert (task.model, task.wire_model) == ("house-tiered", "tiered-1080p-7s-offpeak")
    assert (task.resolution, task.duration, task.off_peak) == ("1080p", 7, True)


def test_the_vendors_id_and_a_setting_must_agree(alice: User, key: ProviderKey) -> None:
    CatalogueEntry.objects.create(**TIERED, wire_model="tiered-{resolution}")
    accepted(alice, order(TEXT, model="tiered-1080p", resolution="1080p"))
    refused = form_for(alice, order(TEXT, model="tiered-1080p", resolution="720p"))
    assert errors(refused) == {"resolution": "The id tiered-1080p says otherwise: leave “Resolution” out."}


def test_pictures_by_address_need_one_that_the_vendor_can_reach(
    alice: User, pictures: list[Asset], settings: Settings
) -> None:
    make_key("Far", provider="vidu", base_url="https://api.vidu.com", options={"images": "url"})
    refused = form_for(alice, order(IMAGE, pictures[:1]))
    assert list(refused.errors) == ["mode"]
    assert "VIDEOFORGE_PUBLIC_URL" in errors(refused)["mode"]
    shown = {option.value: option for option in GenerateForm(user=alice).params.modes}
    assert shown["img2video"].disabled
    assert "VIDEOFORGE_PUBLIC_URL" in shown["img2video"].reason
    assert not shown["text2video"].disabled
    settings.VIDEOFORGE_PUBLIC_URL = "https://videoforge.example"
    accepted(alice, order(IMAGE, pictures[:1]))


def test_pictures_by_address_take_no_room_in_the_request(alice: User, pictures: list[Asset]) -> None:
    make_key("Near", provider="vidu", options={"images": "url"})
    Asset.objects.update(size=30 * 1024 * 1024)
    accepted(alice, order(IMAGE, pictures[:1]))


@pytest.mark.parametrize(
    "changed",
    [{"duration": "6"}, {"resolution": "540p"}, {"aspect_ratio": "9:16"}, {"audio": "off"}, {"count": "2"},
     {"off_peak": "on"}, {"seed": "5"}, {"watermark": "on"}, {"prompt": "Another"}, {"model": "viduq3-pro"}],
    ids=str,
)  # fmt: skip
def test_whatever_changed_an_old_form_is_another_press(alice: User, key: ProviderKey, changed: dict[str, str]) -> None:
    asked = order(TEXT, seed="4")
    [first] = accepted(alice, asked).save()
    assert accepted(alice, asked).save() == [first]
    again = form_for(alice, {**asked, **changed})
    assert "sent before with other content" in errors(again)["__all__"]
    assert again["request_id"].value() != asked["request_id"]
    assert Task.objects.count() == 1
