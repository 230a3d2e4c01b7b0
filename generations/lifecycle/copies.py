"""Our copies: with the last one stored the task is ready."""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from generations.lifecycle.moves import S, move
from generations.models import Creation, CreationState, Task


@dataclass(frozen=True, slots=True)
class Kept:
    """Where our copy of a creation lies, and what it is. Sizes in bytes, lengths in seconds."""

    file: str
    sha256: str
    size: int
    poster: str
    poster_sha256: str
    width: int
    height: int
    seconds: float
    fps: float
    has_audio: bool


def kept(creation: Creation, copy: Kept) -> bool:
    """Our verified copy exists; with the last one the task is ready."""
    with transaction.atomic():
        fields = {name: getattr(copy, name) for name in Kept.__slots__}
        if not Creation.objects.filter(pk=creation.pk, state=CreationState.PENDING).update(
            **fields, state=CreationState.STORED, stored_at=timezone.now(), claimed_until=None, last_error=""
        ):
            return False
        _finish(creation.task)
        return True


def lost(creation: Creation, why: str) -> bool:
    """The vendor's link is dead and the vendor has no other: the result is gone."""
    with transaction.atomic():
        if not Creation.objects.filter(pk=creation.pk, state=CreationState.PENDING).update(
            state=CreationState.LOST, last_error=why, claimed_until=None
        ):
            return False
        _finish(creation.task)
        return True


def _finish(task: Task) -> None:
    """A watermarked second version may come later, or never: the clip itself decides what became of the task."""
    made = list(task.creations.values_list("watermarked", "state"))
    states = {state for watermarked, state in made if not watermarked} or {state for _watermarked, state in made}
    outcome = S.LOST if CreationState.LOST in states else S.SUCCEEDED
    if CreationState.PENDING in states or not move(task, outcome, finished_at=timezone.now()):
        Task.objects.filter(pk=task.pk).update(changed_at=timezone.now())
