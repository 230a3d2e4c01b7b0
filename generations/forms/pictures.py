"""The pictures of an order: kept ones by id, new ones by upload, each in its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from generations import assets, limits, queries
from generations.assets import BadImage
from generations.choices import Slot
from generations.models import Asset, User
from generations.providers.base import Mode

# What a page can say of a picture before it is sent; the same is judged here again.
LIMITS = {
    "bytes": assets.MAX_BYTES,
    "megabytes": assets.MAX_BYTES // 1024**2,
    "side": assets.MIN_SIDE,
    "slenderness": assets.MAX_SLENDERNESS,
}
MOST_AT_ONCE = 10  # uploads of one press that are looked at; no mode takes more than seven
Picture = Asset | None


@dataclass(frozen=True, slots=True)
class FilledSlot:
    """A slot of the page with the picture it keeps, if any. In a ``series`` only the order of the slots counts."""

    slot: Slot
    asset: Picture
    series: bool = False


@dataclass
class Tray:
    """Collects what was sent. ``problems`` are (field, sentence), as everywhere in these forms."""

    owner: User
    cleaned: Mapping[str, Any]
    limit: limits.Limit | None = None  # of pictures in a span of time, for what comes from outside

    def __post_init__(self) -> None:
        self.problems: list[tuple[str, str]] = []
        self._left = MOST_AT_ONCE

    def collect(self, mode: str, *, single: bool) -> list[Picture]:
        """All pictures in order; for first and last frame an empty place stays as None.

        Good uploads are stored at once, so that they outlive whatever else is wrong with the form.
        """
        kept = self._kept()
        frames = [
            self._upload("first_image", self.cleaned.get("first_image")) or kept["first_asset"][0],
            self._upload("last_image", self.cleaned.get("last_image")) or kept["last_asset"][0],
        ]
        uploads = [self._upload("images", file) for file in self.cleaned.get("images") or ()]
        if mode == Mode.START_END:
            return in_places(True, [*kept["asset"], *uploads], frames)
        # Choosing a file where a picture was kept means another picture, not one more.
        row = [] if single and any(uploads) else kept["asset"]
        return in_places(False, row, [*uploads, *frames])

    def _kept(self) -> dict[str, list[Picture]]:
        asked = {
            "asset": list(self.cleaned.get("asset") or ()),
            "first_asset": [self.cleaned.get("first_asset")],
            "last_asset": [self.cleaned.get("last_asset")],
        }
        found = look_up(self.owner, [pk for each in asked.values() for pk in each])
        for name, ids in asked.items():
            if any(pk and pk not in found for pk in ids):
                self.problems.append((name, _("This picture is not there any more. Choose it again.")))
        return {name: [found.get(pk) for pk in ids] for name, ids in asked.items()}

    def _upload(self, field: str, file: "UploadedFile[Any] | None") -> Picture:
        if not file:
            return None
        self._left -= 1
        if self._left < 0:
            if self._left == -1:
                self.problems.append((field, _("At most %(most)d pictures at once.") % {"most": MOST_AT_ONCE}))
            return None
        try:
            if self.limit:
                self.limit.take(str(self.owner.pk))
            return assets.store_upload(self.owner, file)
        except limits.Locked as locked:
            said = _("So many pictures in so short a time. Wait %(seconds)d seconds; what you wrote stays here.")
            self.problems.append((field, said % {"seconds": locked.seconds}))
        except BadImage as error:
            self.problems.append((field, f"{file.name}: {error}"))
        return None


def look_up(owner: User, ids: Sequence[UUID | None]) -> dict[UUID | None, Asset]:
    """Those of these pictures that the person may use, in one query at most."""
    wanted = {pk for pk in ids if pk}
    return {asset.pk: asset for asset in queries.assets_for(owner).filter(pk__in=wanted)} if wanted else {}


def in_places(named: bool, row: Sequence[Picture], frames: Sequence[Picture]) -> list[Picture]:
    """Pictures chosen before, where they belong now: those chosen for another mode go into what is free."""
    if named:
        return _fill(frames, row)
    return [picture for picture in _fill(row, frames) if picture]


def fill_slots(slots: Sequence[Slot], pictures: Sequence[Picture]) -> list[FilledSlot]:
    series = len(slots) > len({slot.kept for slot in slots})
    shown = zip_longest(slots, pictures[: len(slots)])
    return [FilledSlot(slot, picture, series) for slot, picture in shown]


def _fill(row: Sequence[Picture], extras: Sequence[Picture]) -> list[Picture]:
    """Put the extras into the free places of the row, and what is left behind it."""
    waiting = [picture for picture in extras if picture]
    filled = [picture or (waiting.pop(0) if waiting else None) for picture in row]
    return [*filled, *waiting]
