"""Our copy: claimed by one, tried again, asked for anew, and lost only when nothing else is left."""

import hashlib
import io
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone
from django_q.models import OrmQ
from PIL import Image

from generations import archive, polling, saving, sweep
from generations.models import Creation, CreationState, Task, User
from generations.providers.base import Failure, FailureClass, Output, Refused, RemoteState, Snapshot
from tests.clips import make_clip
from tests.factories import make_creation, make_task, picture_bytes
from tests.servers import Answering, says, serving

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_clip(tmp_path_factory.mktemp("clip") / "c.mp4", seconds=2)


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
    assert not list((Path(settings.VIDEOFORGE_DATA) / "incoming").iterdir())


def test_what_a_killed_worker_left_is_cleared_away(alice: User, clip: bytes, settings: Any) -> None:
    with serving(storage_with(clip, None)) as url:
        creation = pending(alice, url)
        left = Path(settings.VIDEOFORGE_DATA) / "incoming" / f"{creation.pk}.0badcafe.part"
        left.parent.mkdir(exist_ok=True)
        left.write_bytes(clip[:100])
        saving.save(str(creation.pk))
    assert not left.exists()


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
        archive.download(url, tmp_path / "big.part")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024
