"""What came and is no clip to us: it was paid for, so it is kept aside, and not asked for all day long."""

import hashlib
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from generations import incoming, lifecycle, polling, saving
from generations.models import Creation, CreationState, User
from generations.providers.base import Output, RemoteState, Snapshot
from tests.clips import make_clip
from tests.factories import make_creation, make_task
from tests.servers import Shelf, serving

pytestmark = pytest.mark.django_db

ODD = os.urandom(200_000)
LARGER = os.urandom(300_000)


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media" / ".incoming"


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(ODD)


@pytest.fixture
def creation(alice: User, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Iterator[Creation]:
    """Its link works; what lies behind it is for each test to say."""
    with serving(shelf) as url:
        task = make_task(alice, state="archiving")
        made = make_creation(task, state="pending", source_url=f"{url}/v.mp4", stored_at=None)
        outputs = (Output(0, made.source_url),)
        same = Snapshot("1", RemoteState.SUCCEEDED, "success", outputs=outputs)
        monkeypatch.setattr(polling, "fetch_snapshot", lambda task: same)
        yield made


def save_again(creation: Creation) -> Creation:
    Creation.objects.update(next_try_at=timezone.now(), claimed_until=None)
    saving.save(str(creation.pk))
    creation.refresh_from_db()
    return creation


def kept(folder: Path) -> list[bytes]:
    assert all(file.suffix == ".refused" for file in folder.iterdir())
    return [file.read_bytes() for file in folder.iterdir()]


def pause(creation: Creation) -> float:
    return (creation.next_try_at - timezone.now()).total_seconds()


def test_the_same_file_again_is_asked_for_by_the_hour_and_kept(creation: Creation, folder: Path) -> None:
    assert pause(save_again(creation)) < 10, "the first time it may have been half a file"
    assert kept(folder) == [ODD]
    assert folder.joinpath(f"{creation.pk}.{hashlib.sha256(ODD).hexdigest()}.refused").exists()
    assert 3500 < pause(save_again(creation)) <= 3600
    assert kept(folder) == [ODD]


def test_near_the_deadline_too(creation: Creation) -> None:
    Creation.objects.update(deadline=timezone.now() + timedelta(minutes=1))
    save_again(creation)
    assert pause(save_again(creation)) > 3500


def test_the_largest_is_kept(creation: Creation, folder: Path, shelf: Shelf) -> None:
    for content, largest in ((ODD, ODD), (LARGER, LARGER), (ODD, LARGER), (b"<html>", LARGER)):
        shelf.content = content
        assert pause(save_again(creation)) < 100, "another one than before"
        assert kept(folder) == [largest]


def test_a_page_of_some_server_is_not_worth_it(creation: Creation, folder: Path, shelf: Shelf) -> None:
    shelf.content = b"<html>" * 1000
    save_again(creation)
    assert kept(folder) == []


def test_a_clip_that_comes_in_the_end_clears_it_away(
    creation: Creation, folder: Path, shelf: Shelf, tmp_path: Path
) -> None:
    save_again(creation)
    shelf.content = make_clip(tmp_path / "c.mp4", seconds=1)
    assert save_again(creation).state == CreationState.STORED
    assert kept(folder) == []


def test_a_result_that_is_lost_leaves_what_came(creation: Creation, folder: Path) -> None:
    save_again(creation)
    (folder / f"{creation.pk}.cover").write_bytes(b"some")
    lifecycle.lost(creation, "The vendor's link answered 403.")
    incoming.clear_leftovers()
    assert kept(folder) == [ODD]
    creation.task.events.all().delete()
    creation.delete()
    incoming.clear_leftovers()
    assert kept(folder) == []
