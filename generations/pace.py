"""How long a task will take, from our own finished tasks: the plan of the poller and what a card may promise.

Seconds from sending to the vendor's success: the tenth, the middle and the ninetieth of a hundred such tasks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from generations.models import Pace, Task
from generations.providers import PROVIDERS
from generations.providers.base import Provider

Kind = tuple[str, str, str, str, int]  # provider, model, mode, resolution, duration
LATEST = 50  # tasks of a kind; vendors change
ENOUGH = 5  # fewer say nothing
SINCE = timedelta(days=30)
LEAST_LOOK = 3.0  # seconds between two queries of one task
EARLY_LOOK = 10.0  # where a list serves all, one that is not due yet is seen along the way
MOST_BETWEEN = 60.0
# Longer than a clip takes: on the administrators' list and asked about slowly, but never failed by us.
OVERDUE, OFF_PEAK_OVERDUE = timedelta(minutes=45), timedelta(hours=49)
REST_SHARE = 4  # looks in what is expected to be left
# Unseen for so long, and for so much of its time: then our own pause is what we would measure. Looks as planned are
# a minute apart, or ten where a task is overdue, so that no kind is learned from its slow or quick tasks alone.
UNSEEN, UNSEEN_SHARE = 120.0, 0.25


@dataclass(frozen=True, slots=True)
class Expectation:
    """Seconds from ``submitted_at``. Only a ``learned`` one may be told to people."""

    p10: float
    p50: float
    p90: float
    learned: bool = True


def expectation(task: Task) -> Expectation | None:
    """What to expect of one task, None for one that waits for idle machines."""
    return expectations([task]).get(task.pk)


def expectations(tasks: Iterable[Task]) -> dict[UUID, Expectation]:
    """The same for many, in one query. Off-peak tasks have none: they wait on purpose."""
    tasks = [task for task in tasks if not task.off_peak]
    book = Book(Pace.objects.filter(model__in={task.model for task in tasks})) if tasks else Book(())
    return {task.pk: book.of(task) for task in tasks}


class Book:
    """Everything learned, held in memory by whoever asks often."""

    def __init__(self, rows: Iterable[Pace]) -> None:
        self._known = {kind_of(row): Expectation(row.p10, row.p50, row.p90) for row in rows if row.clips >= ENOUGH}

    def of(self, task: Task) -> Expectation:
        """The very kind, else all of its model and mode, else what the vendor's words let one expect."""
        general = (task.provider, task.model, task.mode, "", 0)
        usual = PROVIDERS[task.provider].usual_run
        return self._known.get(kind_of(task)) or self._known.get(general) or Expectation(*usual, learned=False)


def kind_of(row: Task | Pace) -> Kind:
    return (row.provider, row.model, row.mode, row.resolution, row.duration)


def learn() -> int:
    """Renew the figures of every kind that has news since they were learned; returns how many kinds."""
    newest = Pace.objects.order_by("-learned_at").values_list("learned_at", flat=True).first()
    since = max(newest, timezone.now() - SINCE) if newest else timezone.now() - SINCE
    fresh = Task.objects.filter(made_at__gt=since, off_peak=False, submitted_at__isnull=False)
    kinds = set(fresh.order_by().values_list("provider", "model", "mode", "resolution", "duration").distinct())
    kinds |= {(provider, model, mode, "", 0) for provider, model, mode, _, _ in kinds}
    return sum(_learn(kind) for kind in kinds)


def _learn(kind: Kind) -> bool:
    provider, model, mode, resolution, duration = kind
    made = Task.objects.filter(provider=provider, model=model, mode=mode, off_peak=False, made_at__isnull=False)
    if resolution or duration:
        made = made.filter(resolution=resolution, duration=duration)
    # What came after it was over was noticed whenever somebody happened to ask.
    made = made.filter(submitted_at__isnull=False).exclude(events__kind="late-success").order_by("-made_at")
    times = made.values_list("submitted_at", "last_polled_at", "made_at")[:LATEST]
    took = sorted(seconds for each in times if (seconds := _measured(*each)) is not None)
    if not took:
        return False
    figures = {"p10": share(took, 0.1), "p50": share(took, 0.5), "p90": share(took, 0.9)}
    Pace.objects.update_or_create(
        provider=provider, model=model, mode=mode, resolution=resolution, duration=duration,
        defaults={**figures, "clips": len(took), "learned_at": timezone.now()},
    )  # fmt: skip
    return True


def _measured(sent: datetime | None, seen: datetime | None, made: datetime | None) -> float | None:
    """How long it took; None where it ended at an unknown time since it was last seen to run."""
    if sent is None or made is None:
        return None
    took = max(0.0, (made - sent).total_seconds())
    if seen is not None and seen > made:  # asked again for a fresh link: the look before the success is forgotten
        return None
    unseen = (made - (seen or sent)).total_seconds()
    return None if unseen > max(UNSEEN, took * UNSEEN_SHARE) else took


def overdue_after(expected: Expectation) -> timedelta:
    """How long it may run before it is asked about slowly: some kinds take an hour, as a rule."""
    return max(OVERDUE, timedelta(seconds=2 * expected.p90))


def share(ordered: Sequence[float], part: float) -> float:
    """The value below which this part of them lies, by the nearest rank."""
    return ordered[min(len(ordered) - 1, round(part * (len(ordered) - 1)))]


def pause(translator: Provider, expected: Expectation, elapsed: float) -> float:
    """Seconds until the next look at a task that was sent ``elapsed`` seconds ago and still runs.

    A learned task is left alone until one in ten of its kind is done; then so many looks in what is expected to be
    left. Where a list serves a hundred at once a steady pace costs less than any cleverness.
    """
    if translator.can_list:
        wait = min(max(expected.p10 - elapsed, translator.poll_every), EARLY_LOOK) if expected.learned else 0.0
        late = (elapsed - expected.p90) / REST_SHARE
        return max(translator.poll_every, wait, min(late, MOST_BETWEEN / 4))
    if not expected.learned:
        wait = elapsed / REST_SHARE
    elif elapsed < expected.p10:
        wait = expected.p10 - elapsed
    elif elapsed < expected.p90:
        wait = ((expected.p50 if elapsed < expected.p50 else expected.p90) - elapsed) / REST_SHARE
    else:
        wait = (elapsed - expected.p50) / REST_SHARE
    least = max(translator.poll_floor, LEAST_LOOK if expected.learned else translator.poll_every)
    return max(least, min(wait, MOST_BETWEEN))
