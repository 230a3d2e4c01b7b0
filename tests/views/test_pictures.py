"""Pictures that one has already: the library behind the slots, stills out of clips, and what an address fills in."""

import re
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from generations.models import Asset, AssetKind, Creation, ProviderKey, User, Visibility
from tests.clips import make_clip
from tests.factories import make_asset, make_creation, make_task
from tests.views.pages import htmx, signed_in

HERE = "/composer/pictures/"


@pytest.fixture
def clip(alice: User, key: ProviderKey, tmp_path: Path) -> Creation:
    content = make_clip(tmp_path / "clip.mp4", width=640, height=360)
    return make_creation(make_task(alice, state="succeeded", prompt_text="A heron"), content=content)


def dialog(user: User, **asked: str) -> str:
    response = signed_in(user).get(HERE, asked, headers=htmx())
    assert response.status_code == 200
    assert "HX-Request" in response["Vary"]
    return response.content.decode()


def kept(html: str, name: str = "asset") -> list[str]:
    return re.findall(rf'name="{name}" value="([^"]+)"', html)


# --- The library -------------------------------------------------------------------------------------------------


def test_strangers_are_sent_to_sign_in(db: None) -> None:
    assert Client().get(HERE).status_code == 302
    assert Client().post(HERE).status_code == 302
    assert not Asset.objects.exists()


def test_it_offers_ones_own_pictures_newest_first(alice: User, bob: User) -> None:
    older, newer = make_asset(alice, name="older.jpg"), make_asset(alice, colour="#112233", name="newer.jpg")
    theirs = make_asset(bob)
    html = dialog(alice, slot="images-2")
    assert html.index(f'data-pick="{newer.pk}"') < html.index(f'data-pick="{older.pk}"')
    assert str(theirs.pk) not in html
    assert 'data-slot="images-2"' in html
    assert "<!doctype" not in html
    assert 'loading="lazy"' in html


def test_a_slot_is_a_name_and_nothing_else(alice: User) -> None:
    assert 'data-slot=""' in dialog(alice, slot='"><script>')


def test_more_is_loaded_below_the_last_one(alice: User) -> None:
    made = [make_asset(alice, width=300 + number, name=f"{number}.jpg") for number in range(30)]
    html = dialog(alice)
    assert html.count("data-pick=") == 24
    assert f"before={made[6].pk}" in html
    rest = dialog(alice, before=str(made[6].pk))
    assert rest.count("data-pick=") == 6
    assert rest.index("autofocus") < rest.index(str(made[4].pk)), "reading goes on at the first new one"
    assert "6 more loaded" in rest
    assert "dialog-title" not in rest
    assert "picks-more" not in rest


def test_clips_are_those_that_are_ready_and_may_be_seen(alice: User, bob: User, clip: Creation) -> None:
    private = make_creation(make_task(alice, state="succeeded", visibility=Visibility.PRIVATE))
    running = make_task(alice, state="processing")
    html = dialog(bob, tab="clips")
    assert f'value="{clip.pk}"' in html
    assert str(private.pk) not in html
    assert str(running.pk) not in html
    assert 'value="last_frame"' in html
    assert 'value="poster"' in html
    assert str(private.pk) in dialog(alice, tab="clips")


def test_it_says_what_will_be_here(alice: User) -> None:
    assert "Nothing here yet" in dialog(alice)
    assert "No clip is ready yet" in dialog(alice, tab="clips")
    assert "Nothing here yet" in dialog(alice, tab="nonsense", before="x", mode="x")


def test_without_scripts_it_is_a_page_of_links(alice: User, clip: Creation) -> None:
    picture = make_asset(alice)
    client = signed_in(alice)
    html = client.get(HERE, {"mode": "reference2video"}).content.decode()
    assert "<!doctype html>" in html
    assert f"/?mode=reference2video&amp;asset={picture.pk}#compose" in html
    assert 'hx-target="#dialog-body"' not in html
    assert f"/?mode=img2video&amp;asset={picture.pk}#compose" in client.get(HERE, {"mode": "x"}).content.decode()
    assert 'value="last_frame"' in client.get(HERE, {"tab": "clips"}).content.decode()


@pytest.mark.parametrize("tab", ["own", "clips"])
def test_queries_do_not_grow_with_the_library(tab: str, alice: User, key: ProviderKey) -> None:
    client = signed_in(alice)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(HERE, {"tab": tab}, headers=htmx()).status_code == 200
        return len(queries)

    def add(number: int) -> None:
        make_creation(make_task(alice, state="succeeded"))
        make_asset(alice, width=300 + number)

    add(0)
    few = count()
    for number in range(1, 8):
        add(number)
    assert count() == few <= 8


# --- Stills out of clips -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["poster", "last_frame"])
def test_a_still_is_made_for_the_slot_that_waits(which: str, bob: User, clip: Creation) -> None:
    response = signed_in(bob).post(HERE, {"creation": str(clip.pk), "which": which}, headers=htmx())
    asset = Asset.objects.get()
    assert (asset.owner, asset.kind, asset.source) == (bob, which, clip)
    html = response.content.decode()
    assert f'data-picked="{asset.pk}"' in html
    assert f'data-src="/media/assets/{asset.pk}/"' in html
    assert 'data-name="A heron"' in html


def test_without_scripts_it_leads_to_the_composer(alice: User, clip: Creation) -> None:
    client = signed_in(alice)
    response = client.post(HERE, {"creation": str(clip.pk), "which": "last_frame"})
    asset = Asset.objects.get()
    assert response.status_code == 302
    assert response["Location"] == f"/?mode=img2video&asset={asset.pk}#compose"
    html = client.get(response["Location"]).content.decode()
    assert 'value="img2video" checked' in html
    assert kept(html) == [str(asset.pk)]
    assert 'data-view="compose"' in html
    again = client.post(HERE, {"creation": str(clip.pk), "which": "poster", "mode": "start-end2video"})
    assert again["Location"].startswith("/?mode=start-end2video&asset=")


def test_a_clip_that_cannot_be_read_is_a_sentence(alice: User, clip: Creation) -> None:
    default_storage.delete(clip.file.name)
    client = signed_in(alice)
    asked = {"creation": str(clip.pk), "which": "last_frame"}
    part = client.post(HERE, asked, headers=htmx())
    assert part.status_code == 422
    assert "cannot be read" in part.content.decode()
    whole = client.post(HERE, asked)
    assert whole.status_code == 422
    assert "cannot be read" in whole.content.decode()
    assert 'id="task-main"' in whole.content.decode()
    assert not Asset.objects.exists()


def test_what_is_hidden_or_nonsense_does_not_exist(alice: User, charlie: User, key: ProviderKey) -> None:
    hidden = make_creation(make_task(alice, state="succeeded", visibility=Visibility.PRIVATE))
    client = signed_in(charlie)
    for asked in (
        {"creation": str(hidden.pk), "which": "poster"},
        {"creation": "x", "which": "poster"},
        {"creation": str(hidden.pk), "which": "upload"},
        {},
    ):
        assert client.post(HERE, asked).status_code == 404
    assert signed_in(alice).post(HERE, {"creation": str(hidden.pk), "which": "upload"}).status_code == 404
    assert signed_in(alice).put(HERE).status_code == 405
    assert not Asset.objects.exists()


def test_a_ready_clip_offers_its_stills(alice: User, bob: User, clip: Creation) -> None:
    html = signed_in(bob).get(f"/tasks/{clip.task_id}/").content.decode()
    assert "Use last frame" in html
    assert "Use poster" in html
    assert f'name="creation" value="{clip.pk}"' in html
    running = make_task(alice, state="processing")
    assert "Use last frame" not in signed_in(alice).get(f"/tasks/{running.pk}/").content.decode()


# --- What an address fills in ------------------------------------------------------------------------------------


def test_the_address_fills_the_slots_with_what_the_person_may_use(alice: User, bob: User, key: ProviderKey) -> None:
    first, second, hidden = make_asset(alice), make_asset(alice, colour="#112233"), make_asset(bob)
    client = signed_in(alice)
    address = f"/?mode=reference2video&asset={first.pk}&asset={hidden.pk}&asset={second.pk}&asset=x"
    assert kept(client.get(address).content.decode()) == [str(first.pk), str(second.pk)]
    html = client.get(f"/?mode=start-end2video&last_asset={second.pk}&first_asset={hidden.pk}").content.decode()
    assert kept(html, "first_asset") == []
    assert kept(html, "last_asset") == [str(second.pk)]
    html = client.get(f"/?mode=start-end2video&asset={first.pk}&asset={second.pk}").content.decode()
    assert (kept(html, "first_asset"), kept(html, "last_asset")) == ([str(first.pk)], [str(second.pk)])


def test_nonsense_in_the_address_fills_nothing(alice: User, key: ProviderKey) -> None:
    response = signed_in(alice).get("/?mode=x&asset=%00&first_asset=y")
    assert response.status_code == 200


def test_pictures_without_a_place_are_said(alice: User, key: ProviderKey) -> None:
    pictures = [make_asset(alice, width=300 + number) for number in range(3)]
    address = "/?mode=img2video&" + "&".join(f"asset={picture.pk}" for picture in pictures)
    html = signed_in(alice).get(address).content.decode()
    assert "<span>Only one picture fits here. Left out: 2.</span>" in html
    assert kept(html) == [str(pictures[0].pk)]
    alone = signed_in(alice).get(f"/?mode=img2video&asset={pictures[0].pk}").content.decode()
    assert re.search(r"data-left-out-note hidden", alone)


def test_pictures_follow_a_change_of_mode(alice: User, key: ProviderKey) -> None:
    picture = make_asset(alice)
    asked = {"mode": "start-end2video", "asset": str(picture.pk)}
    html = signed_in(alice).get("/composer/params/", asked, headers=htmx()).content.decode()
    assert kept(html, "first_asset") == [str(picture.pk)]
    asked = {"mode": "img2video", "last_asset": str(picture.pk)}
    html = signed_in(alice).get("/composer/params/", asked, headers=htmx()).content.decode()
    assert kept(html) == [str(picture.pk)]


def test_only_a_series_has_an_order_and_tokens(alice: User, key: ProviderKey) -> None:
    def slots(mode: str) -> str:
        return signed_in(alice).get("/composer/params/", {"mode": mode}, headers=htmx()).content.decode()

    assert slots("reference2video").count('data-token="@Image') >= 3
    assert 'data-move="-1"' in slots("reference2video")
    for mode in ("img2video", "start-end2video"):
        assert "data-token" not in slots(mode)
        assert "data-move=" not in slots(mode)
    assert "data-swap-slots" in slots("start-end2video")


def test_a_still_says_what_it_is_in_the_library(alice: User, clip: Creation) -> None:
    make_asset(alice, kind=AssetKind.LAST_FRAME, source=clip, name="")
    assert 'data-name="Last frame of a clip"' in dialog(alice)
