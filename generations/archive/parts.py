"""The file of a copy under way: one writer at a time, and a note beside it that says how it may go on."""

import fcntl
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from generations.archive.errors import Busy, not_written

BOOT = Path("/proc/sys/kernel/random/boot_id")


def this_boot() -> str:
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Source:
    """Which version of which file a part belongs to.

    A part is synced at its end only: after a crash of the machine, unlike one of ours, its bytes may be anything, so
    that it counts within one run of the machine.
    """

    validator: str  # a strong ETag or a Last-Modified that is as good as one
    total: int  # bytes of the whole file
    boot: str


class Part:
    """Held by this process alone, see ``hold``. Its bytes are always a beginning of what the source has."""

    def __init__(self, path: Path, file: io.FileIO) -> None:
        self.path, self.file = path, file

    @property
    def size(self) -> int:
        return os.fstat(self.file.fileno()).st_size

    def source(self) -> Source | None:
        """What the bytes that are there belong to; None when they are good for nothing."""
        try:
            source = Source(**json.loads(self._note.read_text()))
        except (OSError, ValueError, TypeError):
            return None
        return source if source.boot == this_boot() and 0 < self.size <= source.total else None

    @property
    def is_whole(self) -> bool:
        """Nothing is left to ask for: the last try came so far and no further."""
        source = self.source()
        return source is not None and self.size == source.total

    def begin(self, source: Source | None) -> None:
        """Throw away what is there; what comes next belongs to this source. None: it can never go on."""
        self._note.unlink(missing_ok=True)
        self.file.truncate(0)
        self.file.seek(0)
        if source is not None:
            self._note.write_text(json.dumps(asdict(source)))

    def write(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            rest = rest[self.file.write(rest) :]

    def sync(self) -> None:
        try:
            os.fsync(self.file.fileno())
        except OSError:
            self.begin(None)  # nobody can say which bytes reached the disk
            raise

    def discard(self) -> None:
        """Leave nothing behind. A file that has its final name by now stays."""
        self._note.unlink(missing_ok=True)
        if _is_at(self.path, self.file.fileno()):
            self.path.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")


@contextmanager
def hold(path: Path) -> Iterator[Part]:
    """The part at this path, for us alone until the end. The kernel frees it when we are killed. Raises CopyError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _lock(path)
    except OSError as error:
        raise not_written(error) from None
    with open(descriptor, "r+b", buffering=0) as file:
        part = Part(path, file)
        try:
            yield part
        finally:
            if not part.size:
                part.discard()


def _lock(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, descriptor):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise Busy("Another worker is still writing this copy.") from None
        except OSError:
            os.close(descriptor)
            raise
        # Between opening and locking it got its final name or was thrown away: writing there would spoil that.
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
