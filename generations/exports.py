"""Rows of the ledger as CSV or XLSX, for a spreadsheet that must not be able to run any of them.

Both are made of the same cells from the same query and go out as they are read. Neither holds the rows in memory.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from generations import sheets, totals
from generations.models import Export, User
from generations.reports import Filters, Rates
from generations.reports.rows import chunks
from generations.sheets import Cell

COLUMNS = (
    "time_utc", "time_local", "task_id", "vendor", "vendor_task_id", "key_label", "key_fingerprint", "person", "model",
    "mode", "resolution", "seconds", "state", "kind", "amount", "unit", "source", "estimate", "about_amount",
    "about_currency", "note",
)  # fmt: skip
TYPES = {"csv": "text/csv; charset=utf-8", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
BOM = "\ufeff"  # without it Excel takes UTF-8 for the code page of the machine
# What makes a spreadsheet take a text for a formula or a command; the wide forms are what a Chinese keyboard types.
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# Where a spreadsheet splits at these, what follows is a cell of its own.
SEPARATED = re.compile(r"([;\t])([=+\-@＝＋－＠])")
CELL_LENGTH = 32_000  # Excel takes 32,767 characters


def record(filters: Filters, actor: User, file_format: str) -> Export:
    """Keep who takes what, before the first byte leaves."""
    span = filters.span
    return Export.objects.create(
        actor=actor, format=file_format, filters=filters.told(), first_day=span.first, last_day=span.last
    )


def file_name(filters: Filters, file_format: str) -> str:
    return f"videoforge-usage-{filters.span.first}-to-{filters.span.last}.{file_format}"


def pieces(filters: Filters, file_format: str) -> Iterator[bytes]:
    """The file, from its first byte to its last."""
    return as_csv(filters) if file_format == "csv" else as_xlsx(filters)


def as_csv(filters: Filters) -> Iterator[bytes]:
    yield (BOM + _csv_lines([COLUMNS])).encode()
    for rows in _cells(filters):
        yield _csv_lines(rows).encode()


def as_xlsx(filters: Filters) -> Iterator[bytes]:
    return sheets.workbook("Ledger", COLUMNS, _cells(filters))


def safe(text: str) -> str:
    """Text that no spreadsheet takes for anything else. Numbers are no text: they stay what they are."""
    text = text.replace("\0", "")[:CELL_LENGTH]
    text = SEPARATED.sub(r"\1'\2", text)
    return f"'{text}" if text.startswith(FORMULAS) else text


# --- Cells ---------------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """A row of the ledger with what is told of its clip. The order is that of FIELDS."""

    at: datetime
    pk: int
    key: int
    person: int | None
    provider: str
    reference: str
    remote_id: str | None
    model: str
    mode: str
    kind: str
    amount: Decimal
    unit: str
    source: str
    note: str
    task: UUID | None
    resolution: str | None
    seconds: int | None
    state: str | None
    estimate: Decimal | None
    estimate_unit: str | None
    task_unit: str | None


FIELDS = (
    "at", "pk", "key_id", "person_id", "provider", "reference", "task__attempt__remote_id", "model", "mode", "kind",
    "amount", "unit", "source", "note", "task_id", "task__resolution", "task__duration", "task__state",
    "task__estimate", "task__estimate_unit", "task__unit",
)  # fmt: skip


def _cells(filters: Filters) -> Iterator[list[list[Cell]]]:
    # What a clip cost may have become known after the time in which it ended.
    rates, zone = Rates(max(filters.span.last, totals.today())), totals.zone()
    keys = {pk: (safe(key.label), key.fingerprint[:8]) for pk, key in filters.keys.items()}
    people = {pk: safe(_name(person)) for pk, person in filters.people.items()}
    for rows in chunks(filters, FIELDS):
        entries = map(Entry._make, rows)
        yield [_row(entry, keys[entry.key], people.get(entry.person or 0, ""), rates, zone) for entry in entries]


def _row(entry: Entry, key: tuple[str, str], person: str, rates: Rates, zone: tzinfo) -> list[Cell]:
    about, currency = _about(entry, rates)
    return [
        entry.at.astimezone(UTC).isoformat(timespec="seconds"),
        entry.at.astimezone(zone).isoformat(timespec="seconds"),
        str(entry.task or ""),
        entry.provider,
        safe(entry.reference or entry.remote_id or ""),
        *key,
        person,
        safe(entry.model),
        entry.mode,
        safe(entry.resolution or ""),
        entry.seconds,
        entry.state or "",
        entry.kind,
        entry.amount,
        entry.unit,
        entry.source,
        _estimate(entry),
        about,
        currency,
        safe(entry.note),
    ]


def _name(person: User) -> str:
    """Two people may have one name; nobody shares the one they sign in with."""
    name, account = person.display_name, person.get_username()
    return name if name == account else f"{name} ({account})"


def _estimate(entry: Entry) -> Cell:
    """In the row's unit a number; in another unit a text that tells it, which no sum takes in."""
    if entry.estimate is None:
        return None
    unit = entry.estimate_unit or entry.task_unit
    return entry.estimate if unit == entry.unit else f"{_plain(entry.estimate)} {unit}"


def _about(entry: Entry, rates: Rates) -> tuple[Cell, str]:
    """What the row was worth on its own day."""
    rate = rates.on(totals.day_of(entry.at), entry.unit, entry.key) if rates else None
    return (round(entry.amount * rate.per_unit, 4), rate.currency) if rate else (None, "")


# --- Files ---------------------------------------------------------------------------------------------------


def _csv_lines(rows: Iterable[Iterable[Cell]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([_csv_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _csv_cell(cell: Cell) -> str | int:
    if isinstance(cell, Decimal):
        return _plain(cell)
    return "" if cell is None else cell


def _plain(amount: Decimal) -> str:
    """12.5, never 12.5000 and never 1.25E+1."""
    return f"{amount.normalize():f}"
