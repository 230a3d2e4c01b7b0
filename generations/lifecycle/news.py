"""What vendors say: one door, safe to enter twice and in any order."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from generations import ledger, redactor
from generations.lifecycle.charges import correct_charge
from generations.lifecycle.moves import S, in_unit, log, move, note
from generations.models import Creation, CreationState, Task, TaskState
from generations.providers.base import Failure, FailureClass, Money, Output, RemoteState, Snapshot, Unit
from generations.queue import enqueue

FIRST_COPY = timedelta(seconds=20)  # the job is queued at once; past this the sweep takes it for lost
NO_LINK = "success_without_output"  # the anomaly's name, and that of its line in the timeline
RUNNING = (S.QUEUED, S.PROCESSING)
LATE = (S.FAILED, S.CANCELLED, S.LOST)  # we, or the vendor, had said that it is over
LOOK_LATE = timedelta(hours=1)  # how often the vendor is asked about what we gave up
LINK_LIFETIME = timedelta(hours=24)  # where a link does not say how long it lives
BELIEVED = timedelta(days=30)  # back and ahead: a deadline out of all time would never warn, or lose the result at once


def observe(task: Task, snapshot: Snapshot) -> bool:
    """Take in what a vendor says of a task: the one door for polls, lists and callbacks. True when it was news."""
    if snapshot.anomaly and snapshot.anomaly != task.anomaly:
        log.warning("task %s at %s: %s", task.pk, task.provider, snapshot.anomaly)
        Task.objects.filter(pk=task.pk).update(anomaly=snapshot.anomaly)
    if snapshot.anomaly.startswith(NO_LINK) and _waited_for_link(task):
        lost = Failure(FailureClass.PROVIDER_TRANSIENT, NO_LINK, "The vendor says success and never gave a link.")
        return _end(task, S.FAILED, replace(snapshot, state=RemoteState.FAILED, failure=lost))
    match snapshot.state:
        case RemoteState.SUCCEEDED:
            return _succeed(task, snapshot)
        case RemoteState.FAILED:
            return _end(task, S.FAILED, snapshot)
        case RemoteState.CANCELLED:
            return _end(task, S.CANCELLED, snapshot)
        case RemoteState.PROCESSING:
            return _progress(task, snapshot)
        case RemoteState.QUEUED:
            return False


def _waited_for_link(task: Task) -> bool:
    """Whether a success without a link has lasted so long that none will come. What it cost nobody said."""
    told = task.events.filter(kind=NO_LINK).values_list("at", flat=True).first()
    if told is None:
        note(task, "success_without_output")
        return False
    return timezone.now() - told > LINK_LIFETIME


def _progress(task: Task, snapshot: Snapshot) -> bool:
    known = task.progress if task.progress is not None else -1
    if task.state == S.PROCESSING and (snapshot.progress is None or snapshot.progress <= known):
        return False  # most looks bring this: no reason to trouble the database
    with transaction.atomic():
        if move(task, S.PROCESSING, started_at=timezone.now(), progress=snapshot.progress):
            return True
        if snapshot.progress is None:
            return False
        # Percentages only grow: answers can arrive out of order.
        later = Task.objects.filter(pk=task.pk, state=S.PROCESSING).exclude(progress__gte=snapshot.progress)
        return bool(later.update(progress=snapshot.progress, changed_at=timezone.now()))


def _succeed(task: Task, snapshot: Snapshot) -> bool:
    with transaction.atomic():
        wanted = _wanted(task, snapshot.outputs)
        if not wanted:  # nobody would ever end the copying
            return False
        charge, now, late = in_unit(task, snapshot.charge), timezone.now(), task.state in LATE
        said: dict[str, Any] = {"progress": 100, "charge": charge, "made_at": now}
        said |= {"next_poll_at": None, "finished_at": None}
        if late:
            said |= {"failure_class": "", "failure_code": "", "failure_text": ""}
        if not move(task, S.ARCHIVING, only_from=LATE if late else RUNNING, **said):
            return False
        if late:
            log.warning("task %s: a late success", task.pk)
            note(task, "late-success")
        for output in wanted:
            _expect(task, output, now)
        _book(task, charge)
        return True


def _wanted(task: Task, outputs: Sequence[Output]) -> list[Output]:
    """What is to be copied: outputs that are new, and lost ones with another link than the one that failed."""
    known = {creation.position: creation for creation in task.creations.all()}

    def is_wanted(output: Output) -> bool:
        creation = known.get(output.position)
        if creation is None:
            return True
        return creation.state == CreationState.LOST and creation.source_url != output.url

    return [output for output in outputs if is_wanted(output)]


def _expect(task: Task, output: Output, now: datetime) -> None:
    """Have this output copied; one whose copy was lost gets its new link and another chance."""
    link: dict[str, Any] = {
        "source_url": output.url,
        "cover_url": output.cover_url,
        "deadline": deadline_of(output, now),
        "next_try_at": now + FIRST_COPY,
    }
    again = {"state": CreationState.PENDING, "tries": 0, "last_error": "", "claimed_until": None}
    first = {"remote_id": output.remote_id, "watermarked": output.watermarked}
    creation, _ = Creation.objects.update_or_create(
        task=task, position=output.position, defaults={**link, **again}, create_defaults={**link, **first}
    )
    enqueue("archive", creation.pk)


def deadline_of(output: Output, now: datetime) -> datetime:
    """When the link of this output dies, as far as what it says of itself can be believed."""
    told = output.expires_at
    return told if told and abs(told - now) <= BELIEVED else now + LINK_LIFETIME


def _end(task: Task, state: TaskState, snapshot: Snapshot) -> bool:
    failure = snapshot.failure or Failure(FailureClass.PROVIDER_UNKNOWN)
    with transaction.atomic():
        charge = in_unit(task, snapshot.charge)
        if not move(
            task,
            state,
            only_from=[S.QUEUED, S.PROCESSING],
            charge=charge,
            failure_class=failure.cls if state == S.FAILED else "",
            failure_code=failure.code[:80],
            failure_text=redactor.redact(failure.text),
            finished_at=timezone.now(),
            # What we gave up ourselves is asked about now and then: the vendor may come up with it.
            next_poll_at=timezone.now() + LOOK_LATE if failure.code == NO_LINK else None,
            detail={"code": failure.code},
        ):
            return _learn_charge(task, charge)
        _book(task, charge)
        return True


def _learn_charge(task: Task, charge: Decimal | None) -> bool:
    """The vendor ends what we had given up already, and says what it cost: that at least is settled now."""
    given_up = task.state in (S.FAILED, S.CANCELLED) and task.charge is None
    if charge is None or not given_up or correct_charge(task, charge, "said after the end") is None:
        return False
    Task.objects.filter(pk=task.pk).update(next_poll_at=None)
    return True


def _book(task: Task, charge: Decimal | None) -> None:
    """Settle at what the vendor said. A vendor that said nothing leaves the hold: charge not confirmed."""
    if charge is not None:
        ledger.settle(task, Money(charge, Unit(task.unit)))
