"""What holds for every vendor, whatever its words: what ends a task, what is charged, and what is odd.

Oddities are sentences for admins: ``<name>: <what the vendor said>``.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from . import wire
from .base import FINAL, Failure, FailureClass, Money, Output, Receipt, RemoteState, Snapshot, Unit

CANCELLED_CODES = {"UserCancelled", "Canceled"}  # a cancelled task ends as failed with one of Vidu's names [inferred]
MAX_AMOUNTS = {Unit.TOKEN: Decimal(10) ** 9}  # tokens are small change


def money(value: object, unit: Unit) -> Money | None:
    """An amount from a number or its text; None when the vendor said nothing usable."""
    number = wire.amount(value, MAX_AMOUNTS.get(unit, wire.MAX_AMOUNT))
    return None if number is None else Money(number, unit)


def receipt(remote_id: str, state: RemoteState | None, quote: Money | None = None, seed: int | None = None) -> Receipt:
    """A task exists. How it ends is for the query to tell, so an end or an unknown word reads as queued."""
    running = state is RemoteState.PROCESSING
    return Receipt(remote_id, RemoteState.PROCESSING if running else RemoteState.QUEUED, quote, seed)


def snapshot(
    remote_id: str,
    raw_state: str,
    states: Mapping[str, RemoteState],
    *,
    unit: Unit,
    outputs: Sequence[Output] = (),
    unlinked: int = 0,
    failure: Failure | None = None,
    cost: Any = None,
    progress: int | None = None,
    payload: str = "",
) -> Snapshot:
    """Our words for a task, of what a vendor says of it.

    ``unlinked`` counts the results that came without a link; ``cost`` is the vendor's figure in ``unit`` as it came,
    which is a charge only once the task has ended; ``failure`` is taken for a failed task alone.
    """
    state, oddity = _state(raw_state, states, outputs, unlinked)
    failure = failure or Failure(FailureClass.PROVIDER_UNKNOWN)
    if state is RemoteState.FAILED and failure.code in CANCELLED_CODES:
        state = RemoteState.CANCELLED
    charge = money(cost, unit) if state in FINAL else None
    odd_charge = charge is None and state in FINAL and cost is not None
    anomalies = [oddity, f"odd_charge: the vendor charges {wire.word(repr(cost))}" if odd_charge else ""]
    return Snapshot(
        remote_id=remote_id,
        state=state,
        raw_state=raw_state,
        progress=progress,
        charge=charge,
        failure=failure if state is RemoteState.FAILED else None,
        outputs=tuple(outputs) if state is RemoteState.SUCCEEDED else (),
        payload=payload or None,
        anomaly="; ".join(filter(None, anomalies)),
    )


def output(position: int, url: str, *, remote_id: str = "", cover_url: str = "", watermarked: bool = False) -> Output:
    """A result with the deadlines that its links tell."""
    return Output(
        position=position,
        url=url,
        remote_id=remote_id,
        cover_url=cover_url,
        expires_at=wire.link_deadline(url),
        cover_expires_at=wire.link_deadline(cover_url),
        watermarked=watermarked,
    )


def _state(
    raw: str, states: Mapping[str, RemoteState], outputs: Sequence[Output], unlinked: int
) -> tuple[RemoteState, str]:
    """An unknown word never ends a task, and success means a link."""
    state = states.get(raw)
    if state is None:
        return RemoteState.PROCESSING, f"unknown_state: the vendor says {raw!r}"
    if state is RemoteState.SUCCEEDED and not outputs:
        return RemoteState.PROCESSING, "success_without_output: the vendor says success and gives no link"
    if state is RemoteState.SUCCEEDED and unlinked:
        return state, f"output_without_link: {unlinked} of the results came without a link"
    return state, ""
