"""What our own finished tasks tell of a vendor: how long it takes, how often it fails."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from django.utils import timezone

from generations.models import Task, TaskState
from generations.providers.base import FailureClass

SINCE = timedelta(days=14)
MOST = 200  # the latest tasks of a kind; more would not change the figures
# Not the vendor's doing: the same would have come of it anywhere.
OURS = (FailureClass.USER_INPUT, FailureClass.CONTENT_POLICY, FailureClass.ACCOUNT_AUTH, FailureClass.ACCOUNT_CREDITS)
ENDED = (TaskState.ARCHIVING, TaskState.SUCCEEDED, TaskState.FAILED, TaskState.LOST)

Kind = tuple[str, str, str]  # provider, model, mode


@dataclass(frozen=True, slots=True)
class History:
    """``seconds``: the median from sending to the vendor's answer, None without a finished clip."""

    tried: int = 0
    failed: int = 0
    seconds: float | None = None


def histories(kinds: Iterable[Kind]) -> dict[Kind, History]:
    """One query for each kind, bounded by MOST rows. Off-peak tasks wait on purpose and count for failures alone."""
    return {kind: _history(*kind) for kind in dict.fromkeys(kinds)}


def _history(provider: str, model: str, mode: str) -> History:
    ended = Task.objects.filter(provider=provider, model=model, mode=mode, state__in=ENDED)
    ended = ended.filter(created_at__gte=timezone.now() - SINCE).exclude(failure_class__in=OURS)
    rows = ended.filter(submitted_at__isnull=False).order_by("-pk")
    said = list(rows.values_list("state", "off_peak", "submitted_at", "finished_at")[:MOST])
    times = [
        (finished - submitted).total_seconds()
        for state, off_peak, submitted, finished in said
        if state == TaskState.SUCCEEDED and not off_peak and submitted and finished
    ]
    failed = sum(state == TaskState.FAILED for state, *_ in said)
    return History(len(said), failed, median(times) if times else None)
