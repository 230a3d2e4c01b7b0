"""Our copy: claimed by one, tried again, asked for anew, and lost only when nothing else is left."""

import hashlib
import io
import logging
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ
from PIL import Image

from generations import archive, evidence, lifecycle, polling, saving, sweep
from generations.archive import storing
from generations.guard import Guard
from generations.models import Attempt, Creation, CreationState, Lease, Task, User
from generations.providers.base import (
    AnswerLost,
    Failure,
    FailureClass,
    Output,
    ProviderError,
    Refused,
    RemoteState,
    Snapshot,
)
from tests.clips import make_clip
from tests.factories import make_creation, make_task, picture_bytes
from tests.servers import Answering, Shelf, says, serving

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_clip(tmp_path_factory.mktemp("clip") / "c.mp4", seconds=2)


@pytest.fixture(autouse=True)
def own_media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


def incoming(settings: Any) -> list[str]:
    folder = Path(settings.MEDIA_ROOT) / ".incoming"
    return sorted(file.name for file in folder.iterdir()) if folder.exists() else []


def storage_with(clip: bytes, cover: bytes | None) -> Answering:
    def answer(request: BaseHTTPRequestHandler) -> None:
        if request.path.startswith("/v"):
            says(200, clip)(request)
        elif cover is None:
            says(403, b"<Error/>")(request)
        else:
            says(200, cover)(request)

    return answer


def pending(owner: User, url: str, **over: Any) -> Creation:
    task = make_task(owner, state="archiving")
    return make_creation(
        task, state="pending", source_url=f"{url}/v.mp4", cover_url=f"{url}/c.jpg", stored_at=None, **over
    )


def test_a_clip_is_kept_and_the_task_is_ready(alice: User, clip: bytes) -> None:
    with serving(storage_with(clip, picture_bytes())) as url:
        creation = pending(alice, url)
        saving.save(str(creation.pk))
    creation.refresh_from_db()
    assert (creation.state, creation.size) == (CreationState.STORED, len(clip))
    assert creation.sha256 == hashlib.sha256(clip).hexdigest()
    assert archive.sha256_of(default_storage, creation.file.name) == creation.sha256
    assert archive.sha256_of(default_storage, creation.poster.name) == creation.poster_sha256
    assert (creation.width, creation.height) == (160, 90)
    assert Task.objects.get().state == "succeeded"


def broken_png() -> bytes:
    """It opens well; in the middle of its data a damaged chunk makes Pillow raise a SyntaxError."""
    buffer = io.BytesIO()
    Image.effect_noise((512, 512), 100).convert("RGB").save(buffer, "PNG")
    first, second, rest = buffer.getvalue().split(b"IDAT", 2)
    return first + b"IDAT" + second + b"\xff\xff\xff\xff" + rest


@pytest.mark.parametrize(
    "cover", [None, b"", b"<html>sign in</html>", broken_png()], ids=["refused", "empty", "html", "damaged"]
)
def test_a_clip_without_its_cover_gets_a_still(alice: User, clip: bytes, cover: bytes | None) -> None:
    with serving(storage_with(clip, cover)) as url:
        creation = pending(alice, url)
        saving.save(str(creation.pk))
    creation.refresh_from_db()
    assert creation.state == CreationState.STORED
    assert creation.poster.read().startswith(b"\xff\xd8")


@pytest.mark.parametrize("content", [b"", b"<html>expired</html>"], ids=["empty", "html"])
def test_what_is_no_clip_is_never_stored(alice: User, content: bytes) -> None:
    with serving(storage_with(content, picture_bytes())) as url:
        creation = pending(alice, url)
        saving.save(str(creation.pk))
    creation.refresh_from_db()
    assert (creation.state, creation.file.name, creation.tries) == (CreationState.PENDING, "", 1)
    assert creation.last_error
    assert creation.next_try_at > timezone.now()
    assert Task.objects.get().state == "archiving"


def test_only_one_worker_copies_at_a_time(alice: User, clip: bytes) -> None:
    with serving(storage_with(clip, None)) as url:
        creation = pending(alice, url, claimed_until=timezone.now() + timedelta(seconds=20))
        saving.save(str(creation.pk))
        creation.refresh_from_db()
        assert creation.state == CreationState.PENDING
        Creation.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        sweep.sweep()
        assert OrmQ.objects.filter(payload__isnull=False).exists(), "its worker died: somebody else copies"
        saving.save(str(creation.pk))
    creation.refresh_from_db()
    assert creation.state == CreationState.STORED


def test_slow_links_leave_workers_free(alice: User, clip: bytes) -> None:
    with serving(storage_with(clip, None)) as url:
        waiting = [pending(alice, url) for _ in range(saving.MOST_COPIES + 1)]
        claimed = [saving._claim(str(creation.pk)) for creation in waiting]
        assert [each is not None for each in claimed] == [True] * saving.MOST_COPIES + [False]
        Creation.objects.filter(pk=waiting[0].pk).update(claimed_until=None)
        saving.save(str(waiting[-1].pk))
    assert Creation.objects.get(pk=waiting[-1].pk).state == CreationState.STORED


def test_the_next_copy_begins_when_one_ends_and_the_earliest_deadline_first(alice: User, clip: bytes) -> None:
    with serving(storage_with(clip, None)) as url:
        first, later, sooner = (pending(alice, url) for _ in range(3))
        Creation.objects.filter(pk=sooner.pk).update(deadline=timezone.now() + timedelta(hours=1))
        saving.save(str(first.pk))
    woken = [queued.task["args"][0] for queued in OrmQ.objects.order_by("id")]
    assert woken == [str(sooner.pk), str(later.pk)]


def test_a_worker_that_stood_still_writes_nothing_any_more(
    alice: User, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def somebody_else_took_over(path: Path) -> archive.Facts:
        Creation.objects.update(claimed_until=timezone.now() + timedelta(seconds=7))
        return facts(path)

    facts = archive.probe
    monkeypatch.setattr(archive, "probe", somebody_else_took_over)
    with serving(storage_with(clip, None)) as url:
        creation = pending(alice, url)
        saving.save(str(creation.pk))
    creation.refresh_from_db()
    assert (creation.state, creation.tries) == (CreationState.PENDING, 0)
    assert creation.claimed_until is not None, "the claim of the other one stands"
    assert not default_storage.exists(f"clips/{creation.created_at:%Y/%m/%d}/{creation.pk}.mp4")


def test_what_nobody_thought_of_is_tried_again_later(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object, **__: object) -> None:
        raise RuntimeError("a file nobody thought of")

    monkeypatch.setattr(archive, "download", explode)
    creation = pending(alice, "http://127.0.0.1:9")
    saving.save(str(creation.pk))
    creation.refresh_from_db()
    assert (creation.state, creation.tries, creation.claimed_until) == (CreationState.PENDING, 1, None)
    assert "nobody thought of" in creation.last_error


def test_nothing_is_left_lying_about(alice: User, settings: Any) -> None:
    with serving(storage_with(b"<html>", None)) as url:
        saving.save(str(pending(alice, url).pk))
    assert incoming(settings) == []


def test_what_no_copy_needs_any_more_is_cleared_away(alice: User, own_media: Path, settings: Any) -> None:
    wanted, done, held = (pending(alice, "http://127.0.0.1:9") for _ in range(3))
    Creation.objects.filter(pk__in=[done.pk, held.pk]).update(state=CreationState.LOST)
    folder = own_media / ".incoming"
    folder.mkdir(parents=True)
    for creation in (wanted, done, held):
        (folder / f"{creation.pk}.part").write_bytes(b"some")
        (folder / f"{creation.pk}.part.json").write_text("{}")
    (folder / "somebody's own").touch()
    with archive.hold(folder / f"{held.pk}.part"):
        saving.look_after()
    left = {name.partition(".")[0] for name in incoming(settings)}
    assert left == {str(wanted.pk), str(held.pk), "somebody's own"}


def test_the_folder_of_parts_is_nobodys_to_see(alice: User, own_media: Path, client: Client) -> None:
    creation = pending(alice, "http://127.0.0.1:9")
    folder = own_media / ".incoming"
    folder.mkdir(parents=True)
    (folder / f"{creation.pk}.part").write_bytes(b"some")
    client.force_login(alice)
    for path in (f"/media/.incoming/{creation.pk}.part", f"/.incoming/{creation.pk}.part", "/media/.incoming/"):
        assert client.get(path).status_code == 404


def snapshot_with(url: str) -> Snapshot:
    return Snapshot("1", RemoteState.SUCCEEDED, "success", outputs=(Output(0, url),))


def test_a_dead_link_is_replaced_by_a_fresh_one(alice: User, clip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(says(403, b"<Error/>")) as dead, serving(storage_with(clip, None)) as alive:
        creation = pending(alice, dead)
        monkeypatch.setattr(polling, "fetch_snapshot", lambda task: snapshot_with(f"{alive}/v.mp4"))
        saving.save(str(creation.pk))
        creation.refresh_from_db()
        assert creation.source_url == f"{alive}/v.mp4"
        saving.save(str(creation.pk))
    creation.refresh_from_db()
    assert creation.state == CreationState.STORED


def test_a_result_is_lost_only_when_time_is_up_too(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(task: Task) -> Snapshot:
        raise Refused(Failure(FailureClass.NOT_FOUND, "TaskNotFound"))

    monkeypatch.setattr(polling, "fetch_snapshot", gone)
    with serving(says(403, b"<Error/>")) as dead:
        creation = pending(alice, dead)
        saving.save(str(creation.pk))
        creation.refresh_from_db()
        assert creation.state == CreationState.PENDING
        Creation.objects.update(deadline=timezone.now() - timedelta(hours=2))
        saving.save(str(creation.pk))
    creation.refresh_from_db()
    assert creation.state == CreationState.LOST
    assert Task.objects.get().state == "lost"


def test_memory_stays_the_same_for_any_size(alice: User, tmp_path: Path) -> None:
    """64 MB through the copier: what Python holds at its peak is a few chunks."""
    import tracemalloc

    def big(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(64 * 1024 * 1024))
        request.end_headers()
        block = b"x" * 65536
        for _ in range(1024):
            request.wfile.write(block)

    with serving(big) as url:
        tracemalloc.start()
        archive.download(url, tmp_path / "big.part", guard=Guard({"127.0.0.1"}))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024


# --- Going on, giving way -----------------------------------------------------------------------------------


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int | None]]:
    """What is written down of the requests for media."""
    said: list[tuple[str, int | None]] = []

    def record(attempt: Attempt, word: str, *, status: int | None = None, seconds: float = 0.0) -> None:
        assert seconds > 0
        assert attempt == Task.objects.get(pk=attempt.task_id).attempt
        said.append((word, status))

    monkeypatch.setattr(evidence, "record_media", record)
    return said


def shelf_only(alice: User, url: str, **over: Any) -> Creation:
    creation = pending(alice, url, **over)
    Creation.objects.filter(pk=creation.pk).update(cover_url="")
    return creation


def test_a_copy_that_broke_off_goes_on_with_the_next_try(
    alice: User, clip: bytes, settings: Any, noted: list[tuple[str, int | None]]
) -> None:
    shelf = Shelf(clip, cuts=[len(clip) // 2])
    with serving(shelf) as url:
        creation = shelf_only(alice, url)
        saving.save(str(creation.pk))
        assert f"{creation.pk}.part" in incoming(settings)
        saving.save(str(creation.pk))
    creation.refresh_from_db()
    assert (creation.state, creation.sha256) == (CreationState.STORED, hashlib.sha256(clip).hexdigest())
    assert archive.sha256_of(default_storage, creation.file.name) == creation.sha256
    assert shelf.statuses == [200, 206]
    assert noted == [("clip: broke off", 200), ("clip: resumed, complete", 206)]
    assert incoming(settings) == []


def test_a_fresh_link_goes_on_with_the_part_of_the_old_one(
    alice: User, clip: bytes, monkeypatch: pytest.MonkeyPatch, noted: list[tuple[str, int | None]]
) -> None:
    shelf = Shelf(clip, cuts=[len(clip) // 2])
    with serving(shelf) as url, serving(says(403, b"<Error/>")) as dead:
        creation = shelf_only(alice, url)
        saving.save(str(creation.pk))
        Creation.objects.update(source_url=f"{dead}/expired.mp4")
        monkeypatch.setattr(polling, "fetch_snapshot", lambda task: snapshot_with(f"{url}/fresh.mp4"))
        saving.save(str(creation.pk))
        saving.save(str(creation.pk))
    creation.refresh_from_db()
    assert creation.state == CreationState.STORED
    assert shelf.statuses == [200, 206]
    assert noted[1] == ("clip: link dead", 403)


def dripping(clip: bytes, enough: threading.Event) -> Answering:
    """Half of it drop by drop until there was enough, then the rest."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        says(200, b"", length=str(len(clip)), ETag='"v1"')(request)
        for start in range(0, len(clip) // 2):
            if enough.wait(0.01):
                break
            request.wfile.write(clip[start : start + 1])
            request.wfile.flush()

    return answer


def test_a_slow_copy_gives_way_to_one_that_waits_and_goes_on_later(
    alice: User, clip: bytes, monkeypatch: pytest.MonkeyPatch, noted: list[tuple[str, int | None]], settings: Any
) -> None:
    monkeypatch.setattr(saving, "PROLONG_EVERY", 0.05)
    monkeypatch.setattr(saving, "TURN", 0.1)
    enough = threading.Event()
    with serving(dripping(clip, enough)) as slow, serving(Shelf(clip)) as fast:
        creation, waiting = shelf_only(alice, slow), shelf_only(alice, fast)
        saving.save(str(creation.pk))
        enough.set()
        creation.refresh_from_db()
        assert (creation.state, creation.tries, creation.claimed_until) == (CreationState.PENDING, 1, None)
        assert "slow" in creation.last_error
        assert creation.next_try_at < timezone.now() + timedelta(seconds=10)
        assert noted == [("clip: gave way", None)]
        assert f"{creation.pk}.part" in incoming(settings), "what came so far is kept"
        woken = [queued.task["args"][0] for queued in OrmQ.objects.order_by("id")]
        assert woken == [str(waiting.pk)]


def test_a_slow_copy_goes_on_while_nobody_waits(
    alice: User, clip: bytes, monkeypatch: pytest.MonkeyPatch, noted: list[tuple[str, int | None]]
) -> None:
    monkeypatch.setattr(saving, "PROLONG_EVERY", 0.0)
    monkeypatch.setattr(saving, "TURN", 0.0)
    enough, renewed = threading.Event(), saving._Claim.renew

    def renew(self: Any) -> None:
        renewed(self)
        times.append(1)
        if len(times) == 5:
            enough.set()

    times: list[int] = []
    monkeypatch.setattr(saving._Claim, "renew", renew)
    with serving(dripping(clip, enough)) as slow:
        creation = shelf_only(alice, slow)
        saving.save(str(creation.pk))
    assert noted == [("clip: broke off", 200)], "the source ended it, not its turn"


def test_one_place_is_kept_for_those_that_were_never_tried(alice: User) -> None:
    tried = [pending(alice, "http://127.0.0.1:9", tries=3) for _ in range(saving.MOST_COPIES)]
    claimed = [saving._claim(str(creation.pk)) for creation in tried]
    assert [each is not None for each in claimed] == [True] * (saving.MOST_COPIES - 1) + [False]
    saving.wake_next()
    assert not OrmQ.objects.exists(), "nobody is woken to be turned away"
    fresh = pending(alice, "http://127.0.0.1:9")
    saving.wake_next()
    assert [queued.task["args"][0] for queued in OrmQ.objects.all()] == [str(fresh.pk)]
    assert saving._claim(str(fresh.pk)) is not None


def test_turns_get_longer_so_that_a_server_without_ranges_is_copied_in_the_end(alice: User) -> None:
    def turn(tries: int) -> float:
        claim = saving._Claim(pending(alice, "http://127.0.0.1:9", tries=tries))
        return round(claim.turn_ends - claim.next_at + saving.PROLONG_EVERY)

    assert [turn(tries) for tries in (0, 1, 2, 6, 20_000)] == [60, 120, 240, 3600, 3600]


def test_a_claim_that_went_to_somebody_else_is_not_given_back(alice: User) -> None:
    creation = pending(alice, "http://127.0.0.1:9")
    mine = saving._claim(str(creation.pk))
    assert mine is not None
    others = timezone.now() + timedelta(seconds=33)
    Creation.objects.update(claimed_until=others)
    saving._try_later(saving._Claim(mine), "too late")
    creation.refresh_from_db()
    assert (creation.claimed_until, creation.tries) == (others, 0)


def test_a_part_that_is_still_written_is_left_alone(alice: User, clip: bytes, own_media: Path) -> None:
    """A worker that lost its claim can still be at it."""
    shelf = Shelf(clip)
    with serving(shelf) as url:
        creation = shelf_only(alice, url)
        with archive.hold(own_media / ".incoming" / f"{creation.pk}.part"):
            saving.save(str(creation.pk))
        creation.refresh_from_db()
        assert (creation.state, creation.tries, shelf.asked) == (CreationState.PENDING, 1, [])


def test_a_cover_is_asked_for_once(alice: User, clip: bytes, noted: list[tuple[str, int | None]]) -> None:
    shelf = Shelf(clip, cuts=[len(clip) // 2])

    def both(request: BaseHTTPRequestHandler) -> None:
        (shelf if request.path.startswith("/v") else says(200, picture_bytes(colour="#00ff00")))(request)

    with serving(both) as url:
        creation = pending(alice, url)
        saving.save(str(creation.pk))
        saving.save(str(creation.pk))
    assert [word for word, _ in noted] == ["cover: complete", "clip: broke off", "clip: resumed, complete"]
    with Image.open(Creation.objects.get().poster) as poster:
        red, green, blue = poster.getpixel((5, 5))
    assert green > 200 > 90 > max(red, blue), "the vendor's cover, not a still"


def test_a_cover_that_drips_costs_little_time(
    alice: User, clip: bytes, monkeypatch: pytest.MonkeyPatch, noted: list[tuple[str, int | None]]
) -> None:
    monkeypatch.setattr(saving, "COVER_TURN", 0.1)
    drip = dripping(clip, threading.Event())

    def both(request: BaseHTTPRequestHandler) -> None:
        (says(200, clip) if request.path.startswith("/v") else drip)(request)

    with serving(both) as url:
        saving.save(str(pending(alice, url).pk))
    assert [word for word, _ in noted] == ["cover: too slow", "clip: complete"]
    assert Creation.objects.get().state == CreationState.STORED


# --- Our own trouble ----------------------------------------------------------------------------------------


def test_a_full_disk_asks_nobody_and_loses_nothing(
    alice: User, clip: bytes, monkeypatch: pytest.MonkeyPatch, noted: list[tuple[str, int | None]]
) -> None:
    monkeypatch.setattr(storing, "KEEP_FREE_BYTES", 2**60)
    shelf = Shelf(clip)
    with serving(shelf) as url:
        creation = shelf_only(alice, url, deadline=timezone.now() - timedelta(days=30))
        saving.save(str(creation.pk))
        creation.refresh_from_db()
        assert (creation.state, creation.claimed_until, shelf.asked) == (CreationState.PENDING, None, [])
        assert "disk is full" in creation.last_error
        monkeypatch.undo()
        saving.save(str(creation.pk))
    creation.refresh_from_db()
    assert creation.state == CreationState.STORED


def test_storage_that_refuses_keeps_the_copy_for_the_next_try(
    alice: User, clip: bytes, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    def refuses(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    shelf = Shelf(clip)
    with serving(shelf) as url:
        creation = shelf_only(alice, url)
        monkeypatch.setattr(storing.os, "replace", refuses)
        saving.save(str(creation.pk))
        monkeypatch.undo()
        creation.refresh_from_db()
        assert (creation.state, creation.tries) == (CreationState.PENDING, 1)
        assert "could not be written" in creation.last_error
        settings.MEDIA_ROOT = own = Path(settings.MEDIA_ROOT)
        saving.save(str(creation.pk))
    assert own.exists()
    creation.refresh_from_db()
    assert creation.state == CreationState.STORED
    assert len(shelf.asked) == 1, "all of it was there already"


@pytest.mark.parametrize("where", ["generations.lifecycle.kept", "generations.evidence.record_media"])
def test_a_database_that_takes_nothing_leaves_the_copy_to_be_tried_again(
    alice: User, clip: bytes, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OperationalError("database or disk is full")

    with serving(Shelf(clip)) as url:
        creation = shelf_only(alice, url)
        with monkeypatch.context() as patched:
            patched.setattr(where, full)
            saving.save(str(creation.pk))
        creation.refresh_from_db()
        assert creation.state == CreationState.PENDING
        Creation.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        assert list(saving.idle()) == [creation], "as soon as the claim has run out"
        saving.save(str(creation.pk))
    creation.refresh_from_db()
    assert creation.state == CreationState.STORED


# --- Until the end ------------------------------------------------------------------------------------------

SILENT = AnswerLost(Failure(FailureClass.PROVIDER_TRANSIENT, "read_timeout"))
REVOKED = Refused(Failure(FailureClass.ACCOUNT_AUTH, "InvalidToken"))


@pytest.mark.parametrize("error", [SILENT, REVOKED], ids=["silent", "revoked key"])
def test_a_vendor_that_does_not_answer_has_not_said_no(
    alice: User, monkeypatch: pytest.MonkeyPatch, error: ProviderError
) -> None:
    def no_answer(task: Task) -> Snapshot:
        raise error

    monkeypatch.setattr(polling, "fetch_snapshot", no_answer)
    with serving(says(403, b"<Error/>")) as dead:
        creation = pending(alice, dead, deadline=timezone.now() - timedelta(days=6))
        saving.save(str(creation.pk))
        creation.refresh_from_db()
        assert creation.state == CreationState.PENDING
        assert "does not answer" in creation.last_error
        Creation.objects.update(deadline=timezone.now() - timedelta(days=8))
        saving.save(str(creation.pk))
    creation.refresh_from_db()
    assert creation.state == CreationState.LOST
    assert "does not answer" in creation.last_error


@pytest.mark.parametrize("which", ["same", "none", "empty"])
def test_a_vendor_that_gives_no_other_link_has_none(alice: User, monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    with serving(says(403, b"<Error/>")) as dead:
        creation = pending(alice, dead, deadline=timezone.now() - timedelta(minutes=59))
        links = {"same": creation.source_url, "empty": ""}
        outputs = (Output(0, links[which]),) if which in links else ()
        answer = Snapshot("1", RemoteState.SUCCEEDED, "success", outputs=outputs)
        monkeypatch.setattr(polling, "fetch_snapshot", lambda task: answer)
        saving.save(str(creation.pk))
        creation.refresh_from_db()
        assert creation.state == CreationState.PENDING, "a link may still work for an hour"
        Creation.objects.update(deadline=timezone.now() - timedelta(minutes=61))
        saving.save(str(creation.pk))
    creation.refresh_from_db()
    assert creation.state == CreationState.LOST


@pytest.mark.parametrize("answer", [says(500, b"busy"), says(200, b"<html>")], ids=["500", "html"])
def test_a_link_that_is_not_dead_is_not_given_up_at_once(
    alice: User, monkeypatch: pytest.MonkeyPatch, answer: Answering
) -> None:
    monkeypatch.setattr(
        polling, "fetch_snapshot", lambda task: Snapshot("1", RemoteState.SUCCEEDED, "success", outputs=())
    )
    with serving(answer) as url:
        creation = pending(alice, url, deadline=timezone.now() - timedelta(days=30))
        saving.save(str(creation.pk))
    creation.refresh_from_db()
    assert (creation.state, creation.tries) == (CreationState.PENDING, 1)


def test_a_lost_result_that_the_vendor_lists_again_is_copied(alice: User, clip: bytes) -> None:
    creation = pending(alice, "http://127.0.0.1:9")
    lifecycle.lost(creation, "The vendor's link answered 403.")
    task = Task.objects.get()
    assert task.state == "lost"
    with serving(Shelf(clip)) as url:
        assert lifecycle.observe(task, snapshot_with(f"{url}/again.mp4"))
        assert Task.objects.get().state == "archiving"
        saving.save(str(creation.pk))
    creation.refresh_from_db()
    assert creation.state == CreationState.STORED
    assert Task.objects.get().state == "succeeded"


def test_tries_come_closer_to_the_deadline_and_not_past_it(alice: User) -> None:
    now = timezone.now()

    def delay(left: timedelta, tries: int) -> timedelta:
        return saving._delay(Creation(deadline=now + left, tries=tries), now)

    hour, second = timedelta(hours=1), timedelta(seconds=1)
    assert [delay(20 * hour, tries) for tries in (0, 1, 2, 9, 30_000)] == [
        each * second for each in (5, 10, 20, 300, 300)
    ]
    assert delay(100 * second, 9) == 50 * second
    assert delay(4 * second, 9) == 5 * second
    assert delay(-hour / 2, 9) == 300 * second
    assert delay(-2 * hour, 30_000) == hour


def test_a_copy_at_risk_is_told_once(alice: User, caplog: pytest.LogCaptureFixture) -> None:
    safe, near, over = (
        pending(alice, "http://127.0.0.1:9", deadline=timezone.now() + timedelta(hours=left)) for left in (5, 3, -1)
    )
    stored = pending(alice, "http://127.0.0.1:9", deadline=timezone.now())
    Creation.objects.filter(pk=stored.pk).update(state=CreationState.LOST)
    assert list(saving.at_risk()) == [over, near]

    def told() -> list[str]:
        caplog.clear()
        Lease.objects.filter(key="saving").delete()  # as if a minute had passed
        sweep.sweep()
        return [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]

    first = told()
    assert [str(each.pk) in line for each, line in zip((over, near), first, strict=True)] == [True, True]
    assert "127.0.0.1" not in "".join(first), "links are no words for a log"
    assert told() == []
    Creation.objects.filter(pk=safe.pk).update(deadline=timezone.now() + timedelta(hours=2))
    assert len(told()) == 1, "it crossed the line later"
