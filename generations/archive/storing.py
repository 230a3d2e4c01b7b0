"""The storage's side: whether there is room, giving a finished file its name, reading it again."""

import hashlib
import os
import shutil
from pathlib import Path

from django.core.files import File
from django.core.files.storage import Storage

from generations.archive.errors import no_room, not_written

# The database lives on the same disk, as a rule, and must never be the one that finds it full.
KEEP_FREE_BYTES = 64 * 1024**2


def check_room(folder: Path, size: int = 0) -> None:
    """Raises NotWritten when the disk cannot take so many bytes more. Costs nothing, so it comes before any request."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise not_written(error) from None
    if free < size + KEEP_FREE_BYTES:
        raise no_room()


def place(temporary: Path, storage: Storage, name: str) -> str:
    """Move a finished file into storage under its name; atomic where storage is this machine's disk.

    Returns the name it really got. Raises NotWritten.
    """
    try:
        try:
            final = Path(storage.path(name))
        except NotImplementedError:  # an object store
            storage.delete(name)  # of an earlier try whose end was never written down
            with temporary.open("rb") as file:
                return storage.save(name, File(file))
        final.parent.mkdir(parents=True, exist_ok=True)
        os.replace(temporary, final)
        _sync_folder(final.parent)
    except OSError as error:
        raise not_written(error) from None
    return name


def _sync_folder(folder: Path) -> None:
    """Without this the file survives a power cut, but its name may not."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(storage: Storage, name: str) -> str:
    """Hash a stored file in constant memory. Raises FileNotFoundError."""
    with storage.open(name, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
