"""Pictures out of our own clips: what the poster shows, or the last frame, kept as somebody's input picture."""

import logging

from django.core.files.base import File
from django.db.models.fields.files import FieldFile
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from PIL import Image

from generations import archive, assets
from generations.assets import BadImage
from generations.models import Asset, AssetKind, Creation, CreationState, User

log = logging.getLogger("videoforge.media")

STILLS = (AssetKind.POSTER, AssetKind.LAST_FRAME)


def take(owner: User, creation: Creation, kind: AssetKind) -> Asset:
    """The still as an input picture; the same one again returns the row there is. Raises BadImage."""
    known = Asset.objects.filter(owner=owner, source=creation, kind=kind).first()
    if known is not None:
        return known
    if creation.state != CreationState.STORED:
        raise BadImage(_("This clip is not saved yet. Try again when it is ready."))
    try:
        image = _last_frame(creation) if kind == AssetKind.LAST_FRAME else _poster(creation)
    except archive.NotAClip as error:
        raise BadImage(_("No picture can be read from the file of this clip.")) from error
    except OSError as error:
        log.error("creation %s: its file cannot be read: %s", creation.pk, error)
        raise BadImage(
            _("The file of this clip cannot be read. An administrator has to look at the storage.")
        ) from error
    name = Truncator(" ".join(creation.task.prompt_text.split())).chars(80)
    return assets.store_still(owner, image, kind=kind, source=creation, name=name)


def _last_frame(creation: Creation) -> Image.Image:
    with _opened(creation.file) as file:
        return archive.last_frame(file)


def _poster(creation: Creation) -> Image.Image:
    """What the poster shows. It is small itself, so the clip's own frame is taken where the poster shows one."""
    if not creation.poster:
        raise BadImage(_("This clip has no poster."))
    with _opened(creation.poster) as file:
        cover = archive.cover(file)
    try:
        with _opened(creation.file) as file:
            return archive.frame_like(file, cover) or cover
    except (archive.NotAClip, OSError):
        return cover


def _opened(file: FieldFile) -> "File[bytes]":
    return file.storage.open(file.name or "", "rb")
