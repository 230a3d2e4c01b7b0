"""The folder of copies under way: their parts, covers that wait for their clip, and what came and is no clip to us.

What was refused is kept, because it was paid for and our own reading may be the fault: the largest of each creation,
until a copy is stored. Small answers are pages of some server and not worth it.
"""

import logging
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage

from generations import archive
from generations.models import Creation, CreationState

log = logging.getLogger("videoforge.incoming")

INCOMING = ".incoming"  # below the media; views open files that a row names, never this folder
REFUSED = ".refused"
WORTH_KEEPING = 64 * 1024  # bytes


def folder() -> Path:
    """On the same disk as the media, so that giving a finished file its name is a rename."""
    try:
        return Path(default_storage.path(INCOMING))
    except NotImplementedError:  # an object store
        return Path(settings.VIDEOFORGE_DATA) / "incoming"


def part_of(creation: Creation) -> Path:
    return folder() / f"{creation.pk}.part"


def clear(creation_id: str, *, refused: bool = True) -> None:
    """Remove what belongs to this creation; what was refused only where told."""
    for file in folder().glob(f"{creation_id}.*"):
        if refused or file.suffix != REFUSED:
            file.unlink(missing_ok=True)


def set_aside(part: archive.Part, creation: Creation, sha256: str) -> bool:
    """Take away a whole file that is no clip. True when the same file was refused before."""
    kept = next(folder().glob(f"{creation.pk}.*{REFUSED}"), None)
    place = folder() / f"{creation.pk}.{sha256}{REFUSED}"
    if part.size > max(WORTH_KEEPING, kept.stat().st_size if kept else 0):
        part.path.replace(place)
        if kept:
            kept.unlink()
    part.discard()
    return kept == place


def clear_leftovers() -> None:
    """Parts of creations that need no copy any more; one that is being written is left alone."""
    try:
        found = {file.name.partition(".")[0] for file in folder().iterdir()}
    except FileNotFoundError:
        return
    ids = {name for name in found if _is_id(name)}
    states = {str(pk): state for pk, state in Creation.objects.filter(pk__in=ids).values_list("pk", "state")}
    for name in ids:
        if states.get(name) == CreationState.PENDING:
            continue
        try:
            with archive.hold(folder() / f"{name}.part"):
                clear(name, refused=states.get(name) != CreationState.LOST)
        except archive.CopyError as error:
            log.info("left over from creation %s: %s", name, error)


def _is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
