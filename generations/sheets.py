"""A workbook that leaves while it is written: its first bytes at once, and never more than a piece of it in memory.

A library writes such a file whole before it gives anything away. So it makes an empty one, and only the rows are put
into its sheets here; styles, headings and all that ties the parts together stay the library's.
"""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from xml.sax.saxutils import escape

import xlsxwriter

Cell = str | int | Decimal | None
SHEET_ROWS = 1_048_575  # that one sheet holds, less its heading
SHEET_BYTES = 1_500_000_000  # a larger part of a zip needs a form that not all programs read
EMPTY = b"<sheetData/>"
SHEET = "xl/worksheets/sheet{}.xml"
ESCAPED = re.compile(r"_x[0-9A-Fa-f]{4}_")  # what a spreadsheet reads as a character of that number
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class _Pipe(io.RawIOBase):
    """Where the zip is written to: keeps what nobody has taken yet."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._kept += piece
        return len(piece)

    def taken(self) -> bytes:
        piece, self._kept = bytes(self._kept), bytearray()
        return piece


def workbook(name: str, columns: Sequence[str], chunks: Iterable[list[list[Cell]]]) -> Iterator[bytes]:
    """The file, from its first byte to its last. What one sheet cannot hold goes on in the next: "name 1", "name 2".

    A chunk of rows stays together, so it must be smaller than a sheet.
    """
    begin, end = _around_rows(name, columns)
    pipe, left, number = _Pipe(), iter(chunks), 0
    chunk: list[list[Cell]] | None = []  # no row is asked for before the first bytes have left
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as book:
        while chunk is not None:
            number, row, size = number + 1, 2, 0
            with book.open(SHEET.format(number), "w") as sheet:
                yield pipe.taken()
                sheet.write(begin + _row(1, columns))
                while chunk is not None and row + len(chunk) <= SHEET_ROWS + 2 and size < SHEET_BYTES:
                    lines = b"".join(_row(row + place, cells) for place, cells in enumerate(chunk))
                    row, size = row + len(chunk), size + sheet.write(lines)
                    yield pipe.taken()
                    chunk = next(left, None)
                sheet.write(end)
        for part, content in _parts(name, columns, number):
            book.writestr(part, content)
    yield pipe.taken()


def _around_rows(name: str, columns: Sequence[str]) -> tuple[bytes, bytes]:
    """What stands before and after the rows of a sheet."""
    with zipfile.ZipFile(_empty(name, columns, 1)) as book:
        before, _, after = book.read(SHEET.format(1)).partition(EMPTY)
    return before + b"<sheetData>", b"</sheetData>" + after


def _parts(name: str, columns: Sequence[str], sheets: int) -> Iterator[tuple[str, bytes]]:
    """All of a workbook of so many sheets but the sheets themselves."""
    with zipfile.ZipFile(_empty(name, columns, sheets)) as book:
        for part in book.namelist():
            if not part.startswith("xl/worksheets/"):
                yield part, book.read(part)


def _empty(name: str, columns: Sequence[str], sheets: int) -> io.BytesIO:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        for number in range(sheets):
            sheet = book.add_worksheet(f"{name} {number + 1}")
            sheet.freeze_panes(1, 0)
            sheet.set_column(0, min(2, len(columns) - 1), 26)
    file.seek(0)
    return file


def _row(number: int, cells: Sequence[Cell]) -> bytes:
    inside = "".join(_cell(cell, f"{_letters(place)}{number}") for place, cell in enumerate(cells))
    return f'<row r="{number}">{inside}</row>'.encode()


def _cell(cell: Cell, place: str) -> str:
    """Text as text whatever it looks like, so that nothing in it is ever run."""
    if isinstance(cell, str):
        text = escape(NOT_IN_XML.sub("", ESCAPED.sub(r"_x005F\g<0>", cell)), {"\r": "&#13;"})
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>' if text else ""
    return "" if cell is None else f'<c r="{place}"><v>{cell}</v></c>'


def _letters(place: int) -> str:
    """A, B, ... Z, AA: the name of a column, counted from 0."""
    before, last = divmod(place, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + last)
