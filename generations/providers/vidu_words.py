"""What Vidu and those who pass its answers through say: states, error names, and the shape of a task.

Facts: Vidu docs, read in mid 2026. The marks say how far to trust one: [docs] printed by Vidu, [client code] seen
in public clients only, [inferred] our reading.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from . import wire
from .base import FINAL, Balance, Echo, Failure, FailureClass, Money, Output, RemoteState, Snapshot, Unit

# [docs: get-generation] Any other word is "still processing", shown to admins, and never ends a task.
STATES = {
    "created": RemoteState.QUEUED,
    "queueing": RemoteState.QUEUED,
    "processing": RemoteState.PROCESSING,
    "success": RemoteState.SUCCEEDED,
    "failed": RemoteState.FAILED,
}
MAX_BALANCE = Decimal(10) ** 12
CANCELLED_CODES = {"UserCancelled", "Canceled"}  # a cancelled task ends as `failed` with one of these [inferred]

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


class Credits(wire.Wire):
    remains: Annotated[list[Remain], BeforeValidator(wire.objects)] = Field(
        validation_alias=AliasChoices("remains", "remaining_credits")  # the example and the field table differ [docs]
    )

    def balance(self) -> Balance:
        """The sum of the parts, unknown when one cannot be read; the concurrency limit is the organisation's [docs]."""
        known = [left for part in self.remains if (left := wire.amount(part.credit_remain, MAX_BALANCE)) is not None]
        return Balance(
            remaining=Money(sum(known, Decimal(0)), Unit.CREDIT) if len(known) == len(self.remains) else None,
            concurrency_limit=max((part.concurrency_limit or 0 for part in self.remains), default=0) or None,
            running=sum(part.current_concurrency or 0 for part in self.remains),
            queued=sum(part.queue_count or 0 for part in self.remains),
        )


def snapshot(task: Task, *, listed: bool = False) -> Snapshot:
    """Our words for a task. A listed failure is not complete: it lacks the reason, which tells cancelled ones apart."""
    outputs = tuple(_outputs(task))
    state, oddity = _state(task, outputs)
    charge = money(task.credits) if state in FINAL else None  # until then `credits` is what it may come to
    odd_charge = charge is None and state in FINAL and task.credits is not None
    anomalies = [oddity, f"odd_charge: the vendor charges {wire.word(repr(task.credits))}" if odd_charge else ""]
    return Snapshot(
        remote_id=task.id,
        state=state,
        raw_state=task.state,
        progress=task.progress,
        charge=charge,
        failure=Failure(_reason(task.err_code), task.err_code) if state is RemoteState.FAILED else None,
        outputs=outputs if state is RemoteState.SUCCEEDED else (),
        payload=task.payload or None,
        complete=not (listed and state is RemoteState.FAILED and not task.err_code),
        anomaly="; ".join(filter(None, anomalies)),
        echo=_echo(task) if listed else None,
    )


def money(value: object) -> Money | None:
    """Credits from a number or its text; None when the vendor said nothing usable."""
    number = wire.amount(value)
    return None if number is None else Money(number, Unit.CREDIT)


def _state(task: Task, outputs: tuple[Output, ...]) -> tuple[RemoteState, str]:
    state = STATES.get(task.state)
    if state is None:
        return RemoteState.PROCESSING, f"unknown_state: the vendor says {task.state!r}"
    if state is RemoteState.SUCCEEDED and not outputs:
        return RemoteState.PROCESSING, "success_without_output: the vendor says success and gives no link"
    if state is RemoteState.SUCCEEDED and len(outputs) < len(task.creations):
        return state, f"output_without_link: {len(outputs)} links for {len(task.creations)} results"
    if state is RemoteState.FAILED and task.err_code in CANCELLED_CODES:
        return RemoteState.CANCELLED, ""
    return state, ""


def _outputs(task: Task) -> Iterator[Output]:
    for position, creation in enumerate(task.creations):
        if creation.url:
            yield Output(
                position=position,
                url=creation.url,
                remote_id=creation.id,
                cover_url=creation.cover_url,
                expires_at=wire.link_deadline(creation.url),
                cover_expires_at=wire.link_deadline(creation.cover_url),
            )


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
        quote=money(task.credits),
    )


def _reason(name: str) -> FailureClass:
    cls = REASONS.get(name, FailureClass.PROVIDER_UNKNOWN)
    return FailureClass.PROVIDER_TRANSIENT if cls is FailureClass.AMBIGUOUS_SUBMIT else cls
