"""What a vendor says of one task beside what we have of it. Only values: nothing is asked and nothing written."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from typing import Any

from generations import lifecycle, totals
from generations.models import Task, TaskState
from generations.providers.base import FINAL, RemoteState, Snapshot, Unit

MADE = (TaskState.ARCHIVING, TaskState.SUCCEEDED, TaskState.LOST)
RUNNING = (TaskState.QUEUED, TaskState.PROCESSING)
NOT_MADE = (TaskState.FAILED, TaskState.CANCELLED)
NO_LINK = "success_without_output"
ODD_CHARGE = "odd_charge"


@dataclass(frozen=True, slots=True)
class Said:
    """A vendor's word about one task. ``amount`` is what it charged in the end; None where it does not say.

    ``readable`` is False where it names something that is no amount, or leaves out what its list always names.
    """

    remote_id: str
    state: RemoteState
    amount: Decimal | None
    readable: bool
    created_at: datetime | None

    @property
    def ended(self) -> bool:
        return self.state in FINAL

    @property
    def made(self) -> bool:
        return self.state is RemoteState.SUCCEEDED


def said_of(row: Snapshot, unit: Unit) -> Said:
    """A success whose link is gone is a success here: what it cost does not end with the link."""
    state = RemoteState.SUCCEEDED if row.anomaly.startswith(NO_LINK) else row.state
    money = row.charge or (row.echo.quote if row.echo and state in FINAL else None)
    fits = money is None or money.unit == unit
    silent = money is None and (row.echo is None or state not in FINAL)
    readable = fits and ODD_CHARGE not in row.anomaly and (money is not None or silent)
    amount = money.amount if money and fits and state in FINAL else None
    return Said(row.remote_id, state, amount, readable, row.echo.created_at if row.echo else None)


def facts_of(row: Snapshot, said: Said) -> dict[str, Any]:
    """What is kept of a vendor's row. Of a prompt its length: what somebody else wrote is none of our business."""
    facts: dict[str, Any] = {"state": said.state.value, "at": said.created_at.isoformat() if said.created_at else ""}
    if row.echo:
        facts |= {"model": row.echo.model, "mode": row.echo.kind, "seconds": row.echo.duration}
        facts |= {"prompt_length": len(row.echo.prompt), "key_id": row.echo.key_id}
    return facts


class Verdict(Enum):
    SAME = auto()
    UNDER_WAY = auto()  # with us or with the vendor: it will be compared when it has ended
    UNCONFIRMED = auto()  # nobody ever said what it cost
    TELLS = auto()  # the vendor names a charge that nobody knew
    AMOUNT = auto()
    STATE = auto()


def verdict(task: Task, booked: Decimal, said: Said) -> Verdict:
    """One of our tasks as it stands now, and what the ledger has of it."""
    if not said.ended:
        return Verdict.STATE if task.state in totals.ENDED or task.state == TaskState.ARCHIVING else Verdict.UNDER_WAY
    if task.state == TaskState.ARCHIVING:
        return Verdict.UNDER_WAY if said.made else Verdict.STATE
    if task.state not in totals.ENDED:
        return Verdict.STATE
    if not said.readable:
        return Verdict.AMOUNT
    if said.amount is not None:
        if task.charge is None:
            return Verdict.TELLS
        if said.amount != booked:
            return Verdict.AMOUNT
    if not _agree(task, said):
        return Verdict.STATE
    return Verdict.UNCONFIRMED if task.charge is None else Verdict.SAME


def _agree(task: Task, said: Said) -> bool:
    """A vendor's list calls a cancelled task failed; and a success that never had a link is a failure to us."""
    if task.state in NOT_MADE:
        return not said.made or task.failure_code in (NO_LINK, lifecycle.GIVEN_UP)
    return said.made


def is_news(task: Task, said: Said) -> bool:
    """Whether the vendor's word would move the task: an end that we have not seen, or a success that came late."""
    if task.state in RUNNING:
        return said.ended
    return said.made and task.state in (*NOT_MADE, TaskState.LOST)
