"""What Vidu and those who pass its answers through say: states, error names, and the shape of a task.

Facts: Vidu docs, read in mid 2026. The marks say how far to trust one: [docs] printed by Vidu, [client code] seen
in public clients only, [inferred] our reading.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from . import reading, wire
from .base import Balance, Echo, Ending, Failure, FailureClass, Money, Output, Receipt, RemoteState, Snapshot, Unit

# [docs: get-generation] Any other word is "still processing", shown to admins, and never ends a task.
STATES = {
    "created": RemoteState.QUEUED,
    "queueing": RemoteState.QUEUED,
    "processing": RemoteState.PROCESSING,
    "success": RemoteState.SUCCEEDED,
    "failed": RemoteState.FAILED,
}
MAX_BALANCE = Decimal(10) ** 12

_NAMES = {  # [docs: error-code] unless marked
    FailureClass.USER_INPUT: (
        *("BadRequest", "FieldLacking", "FieldUnwanted", "FieldItemCountOutOfRange", "FieldInvalid", "UserCancelled"),
        *("PageSizeOutOfRange", "ImageFormatInvalid", "ImageDownloadFailure"),  # the first means the size of a picture
        *("ImageCheckBodyJointsFailed", "ImageCheckFaceFailed", "ImageObjectsUndetected"),
        *("ImageSizeInvalid", "FaceDetectFailure", "FaceDetectNotPass", "NoFaceDetected", "MultiFaceDetected"),
        # the line above: [client code]
    ),
    FailureClass.CONTENT_POLICY: (
        *("TaskPromptPolicyViolation", "AuditSubmitIllegal", "CreationPolicyViolation"),
        *("PhotoAuditNotPass", "AuditFailed"),  # [client code]
    ),
    FailureClass.ACCOUNT_AUTH: ("Unauthorized", "Forbidden"),
    FailureClass.ACCOUNT_CREDITS: ("CreditInsufficient",),
    FailureClass.ACCOUNT_LIMIT: ("QuotaExceeded",),
    FailureClass.THROTTLED: ("TooManyRequests", "SystemThrottling", "OperationInProcess"),
    FailureClass.PROVIDER_PERMANENT: ("ModelUnavailable",),
    FailureClass.NOT_FOUND: ("TaskNotFound", "CreationNotFound", "NotFound"),
    FailureClass.AMBIGUOUS_SUBMIT: ("Conflict", "Canceled", "InternalServiceFailure"),  # outside a create they pass
}
REASONS = {name: cls for cls, names in _NAMES.items() for name in names}


class ErrorBody(wire.Wire):
    """[docs: error-code]"""

    reason: wire.Word = ""
    message: wire.Text = ""
    metadata: wire.Mapped = {}


class Creation(wire.Wire):
    id: wire.Word = ""
    url: wire.Link = ""
    cover_url: wire.Link = ""
    watermarked_url: wire.Link = ""  # "" where no watermark was ordered


class Task(wire.Wire):
    """A task as query, list and callback show it; the list leaves out ``err_code``, ``payload`` and ``progress``."""

    id: wire.Id
    state: wire.Word = ""
    err_code: wire.Word = ""
    credits: Any = None
    payload: wire.Text = ""
    progress: wire.Percent = None
    creations: Annotated[list[Creation], BeforeValidator(wire.objects)] = []
    type: wire.Word = ""
    model: wire.Word = ""
    prompt: wire.Text = ""
    duration: wire.Whole = None
    resolution: wire.Word = ""
    aspect_ratio: wire.Word = ""
    key_id: wire.Word = ""
    created_at: wire.Moment = None


class Accepted(wire.Wire):
    id: wire.Id = Field(validation_alias=AliasChoices("task_id", "id"))
    state: wire.Word = ""
    credits: Any = None
    seed: wire.Whole = None


class TaskList(wire.Wire):
    next_page_token: wire.Text = ""
    tasks: list[Any] | None = None


class Remain(wire.Wire):
    credit_remain: Any = None
    concurrency_limit: wire.Whole = None
    current_concurrency: wire.Whole = None
    queue_count: wire.Whole = None


class Package(wire.Wire):
    """A bought lot of credits, in the answer with details only [docs]."""

    credit_remain: Any = None
    valid_to: Annotated[datetime | None, BeforeValidator(wire.moment)] = None


class Credits(wire.Wire):
    remains: Annotated[list[Remain], BeforeValidator(wire.objects)] = Field(
        validation_alias=AliasChoices("remains", "remaining_credits")  # the example and the field table differ [docs]
    )

    packages: Annotated[list[Package], BeforeValidator(wire.objects)] = []

    def balance(self) -> Balance:
        """The sum of the parts, unknown when one cannot be read; the concurrency limit is the organisation's [docs]."""
        known = [left for part in self.remains if (left := wire.amount(part.credit_remain, MAX_BALANCE)) is not None]
        return Balance(
            remaining=Money(sum(known, Decimal(0)), Unit.CREDIT) if len(known) == len(self.remains) else None,
            concurrency_limit=max((part.concurrency_limit or 0 for part in self.remains), default=0) or None,
            running=sum(part.current_concurrency or 0 for part in self.remains),
            queued=sum(part.queue_count or 0 for part in self.remains),
            ends=self._ends(),
        )

    def _ends(self) -> Ending | None:
        """The package with something in it that ends first."""
        known = ((wire.amount(each.credit_remain, MAX_BALANCE), each.valid_to) for each in self.packages)
        found = [Ending(left, ends) for left, ends in known if left and ends]
        return min(found, key=lambda each: each.at, default=None)


def receipt(accepted: Accepted) -> Receipt:
    quote = reading.money(accepted.credits, Unit.CREDIT)
    return reading.receipt(accepted.id, STATES.get(accepted.state), quote, accepted.seed)


def snapshot(task: Task, *, listed: bool = False) -> Snapshot:
    """Our words for a task. A listed failure is not complete: it lacks the reason, which tells cancelled ones apart.

    The counts of ``creations[].video`` may all be 0 on a real success [docs], so nothing is read from them.
    """
    told = reading.snapshot(
        task.id,
        task.state,
        STATES,
        unit=Unit.CREDIT,
        outputs=[*_outputs(task), *_watermarked(task)],
        unlinked=sum(not creation.url for creation in task.creations),
        failure=Failure(_reason(task.err_code), task.err_code),
        cost=task.credits,  # until the end, what it may come to
        progress=task.progress,
        payload=task.payload,
    )
    if not listed:
        return told
    complete = told.state is not RemoteState.FAILED or bool(task.err_code)
    return replace(told, complete=complete, echo=_echo(task))


def _outputs(task: Task) -> Iterator[Output]:
    for position, each in enumerate(task.creations):
        if each.url:
            yield reading.output(position, each.url, remote_id=each.id, cover_url=each.cover_url)


def _watermarked(task: Task) -> Iterator[Output]:
    """The second versions come after all the plain ones, with a position of their own."""
    for position, each in enumerate(task.creations, start=len(task.creations)):
        if each.watermarked_url:
            yield reading.output(position, each.watermarked_url, remote_id=each.id, watermarked=True)


def _echo(task: Task) -> Echo:
    return Echo(
        kind=task.type,
        model=task.model,
        prompt=task.prompt,
        duration=task.duration,
        resolution=task.resolution,
        aspect_ratio=task.aspect_ratio,
        key_id=task.key_id,
        created_at=task.created_at,
        quote=reading.money(task.credits, Unit.CREDIT),
    )


def _reason(name: str) -> FailureClass:
    cls = REASONS.get(name, FailureClass.PROVIDER_UNKNOWN)
    return FailureClass.PROVIDER_TRANSIENT if cls is FailureClass.AMBIGUOUS_SUBMIT else cls
