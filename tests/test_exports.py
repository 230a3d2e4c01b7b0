"""Files that a spreadsheet reads as what they are, in memory that does not grow, and none without a trace."""

import csv
import io
import re
import tracemalloc
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from generations import exports, ledger, sheets
from generations.models import Export, ProviderKey, Rate, UsageEntry, User
from generations.reports import Filters
from generations.reports import rows as under
from tests.factories import make_key, make_task
from tests.test_reports import book, ended
from tests.views.pages import signed_in

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
EVIL = ("=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "＋1", "－1", "＠x", "=cmd|' /C calc'!A0")


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


def test_what_a_spreadsheet_would_split_off_is_no_formula_either() -> None:
    assert exports.safe("Mei;=1+1") == "Mei;'=1+1"
    assert exports.safe("a;b") == "a;b"
    assert exports.safe(";=1+1") == ";'=1+1"
    assert exports.safe("a;;=1+1") == "a;;'=1+1"


def wanted(user: User, query: str = "") -> Filters:
    return Filters.read(QueryDict(query), user)


def as_csv(user: User, query: str = "") -> list[dict[str, str]]:
    content = b"".join(exports.pieces(wanted(user, query), "csv"))
    assert content.startswith(b"\xef\xbb\xbf"), "Excel wants a mark to know UTF-8"
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def as_xlsx(user: User, query: str = "") -> list[dict[str, Any]]:
    content = b"".join(exports.pieces(wanted(user, query), "xlsx"))
    found = []
    for sheet in openpyxl.load_workbook(io.BytesIO(content)):
        names, *rows = sheet.iter_rows()
        assert not [cell for row in rows for cell in row if cell.data_type == "f"], "no cell is a formula"
        found += [dict(zip([name.value for name in names], [cell.value for cell in row], strict=True)) for row in rows]
    return found


# --- What is in it -------------------------------------------------------------------------------------------


def test_a_row_tells_all(alice: User, admin: User, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Shanghai"
    key = make_key("工作室", provider="vidu")
    Rate.objects.create(unit="credit", currency="CNY", per_unit=Decimal("0.03"), valid_from=date(2026, 1, 1))
    task = make_task(alice, key=key, state="succeeded", remote_id="9007", prompt_text="纸船", estimate=Decimal("54.5"))
    at = datetime(2026, 11, 3, 16, 30, tzinfo=UTC)
    book(key, "-12.5000", at=at, kind="refund", person=alice, task=task, mode="text2video", note="退款 =1")
    (row,) = as_csv(admin)
    assert tuple(row) == exports.COLUMNS
    assert row == {
        "time_utc": "2026-11-03T16:30:00+00:00", "time_local": "2026-11-04T00:30:00+08:00", "task_id": str(task.pk),
        "vendor": "vidu", "vendor_task_id": "9007", "key_label": "工作室", "key_fingerprint": key.fingerprint[:8],
        "person": "Alice Ames (alice)", "model": "viduq2", "mode": "text2video", "resolution": "720p", "seconds": "5",
        "state": "succeeded", "kind": "refund", "amount": "-12.5", "unit": "credit", "source": "vendor",
        "estimate": "54.5", "about_amount": "-0.375", "about_currency": "CNY", "note": "退款 =1",
    }  # fmt: skip
    (cells,) = as_xlsx(admin)
    assert (cells["amount"], cells["estimate"], cells["seconds"]) == (-12.5, 54.5, 5), "numbers are numbers"
    texts = {name: value for name, value in cells.items() if isinstance(value, str)}
    assert texts.items() <= row.items(), "the same cells"


def test_the_columns_are_those_that_were_agreed() -> None:
    agreed = (
        "time_utc, time_local, task_id, vendor, vendor_task_id, key_label, key_fingerprint, person, model, mode, "
        "resolution, seconds, state, kind, amount, unit, source, estimate, about_amount, about_currency, note"
    )
    assert ", ".join(exports.COLUMNS) == agreed


def test_a_row_without_a_task_has_empty_cells(admin: User, key: ProviderKey) -> None:
    ledger.external(key, "900", Decimal(50), NOW, model="viduq2", note="found")
    (row,) = as_csv(admin)
    assert (row["task_id"], row["person"], row["state"], row["seconds"], row["estimate"]) == ("", "", "", "", "")
    assert (row["vendor_task_id"], row["kind"], row["amount"]) == ("900", "external", "50")


def test_an_estimate_in_another_unit_is_no_number(alice: User, admin: User, key: ProviderKey) -> None:
    task = make_task(alice, key=key, estimate=Decimal("3.50"), estimate_unit="cny")
    book(key, 50, person=alice, task=task)
    assert as_csv(admin)[0]["estimate"] == "3.5 cny"
    assert as_xlsx(admin)[0]["estimate"] == "3.5 cny"


def test_who_left_is_still_named(alice: User, admin: User, key: ProviderKey) -> None:
    book(key, 1, person=alice)
    alice.is_active = False
    alice.save()
    assert as_csv(admin)[0]["person"] == "Alice Ames (alice)"


def test_rows_come_in_the_order_of_time_and_all_of_them(
    alice: User, admin: User, key: ProviderKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under.chunks, "__defaults__", (3,))
    late = book(key, 0, at=NOW - timedelta(hours=1))
    moments = [NOW - timedelta(days=10), NOW - timedelta(days=10), NOW - timedelta(days=2)]
    booked = [book(key, number, at=moments[number % 3]) for number in range(20)]
    should = sorted([late, *booked], key=lambda entry: (entry.at, entry.pk))
    assert [row["amount"] for row in as_csv(admin)] == [str(entry.amount) for entry in should]


def test_what_is_booked_meanwhile_is_left_out(admin: User, key: ProviderKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under.chunks, "__defaults__", (2,))
    for number in range(5):
        book(key, number)
    pieces = exports.pieces(wanted(admin), "csv")
    first = [next(pieces), next(pieces)]
    book(key, 99)
    lines = b"".join([*first, *pieces]).decode().splitlines()
    assert len(lines) == 6
    assert ",99," not in lines[-1]


# --- What a spreadsheet must not run -------------------------------------------------------------------------


@pytest.mark.parametrize("text", EVIL)
def test_no_text_becomes_a_formula(admin: User, text: str) -> None:
    key = make_key(text, provider="vidu")
    book(key, -5, note=text, reference=text, model=text)
    for row in (as_csv(admin)[0], as_xlsx(admin)[0]):
        for name in ("key_label", "note", "vendor_task_id", "model"):
            cell = row[name].replace("_x000D_", "\r")  # how XLSX spells it
            assert cell == "'" + text.replace("\t=", "\t'="), name
    assert as_csv(admin)[0]["amount"] == "-5"
    assert as_xlsx(admin)[0]["amount"] == -5


@given(st.text())
def test_whatever_somebody_wrote_is_text(text: str) -> None:
    found = exports.safe(text)
    assert not found.startswith(exports.FORMULAS)
    assert not re.search(r"[;\t][=+\-@＝＋－＠]", found), "where a spreadsheet would begin a cell"
    assert found.replace("'", "") == text.replace("\0", "").replace("'", "") or len(text) > exports.CELL_LENGTH


def test_quotes_lines_and_chinese_come_back_as_they_were(admin: User, key: ProviderKey) -> None:
    note = '一只"纸船", 过\n水洼; it’s, fine\x0b'
    book(key, 1, note=note)
    assert as_csv(admin)[0]["note"] == note
    assert as_xlsx(admin)[0]["note"].startswith('一只"纸船", 过\n水洼; it’s, fine')


def test_a_long_note_is_cut_where_a_cell_ends(admin: User, key: ProviderKey) -> None:
    book(key, 1, note="长" * 40_000)
    assert len(as_xlsx(admin)[0]["note"]) == exports.CELL_LENGTH


def test_more_rows_than_a_sheet_holds_go_on_another(
    admin: User, key: ProviderKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "SHEET_ROWS", 3)
    monkeypatch.setattr(under.chunks, "__defaults__", (2,))
    for number in range(7):
        book(key, number)
    assert [row["amount"] for row in as_xlsx(admin)] == list(range(7))


# --- What it costs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_memory_does_not_grow_with_the_rows(admin: User, key: ProviderKey, file_format: str) -> None:
    def peak() -> int:
        tracemalloc.start()
        for _ in exports.pieces(wanted(admin), file_format):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    def add(count: int) -> None:
        row = book(key, 1, note="x" * 500)
        fields = {"at": row.at, "kind": "settle", "amount": 1, "unit": "credit", "source": "vendor", "key": key}
        fields |= {"provider": "vidu", "note": "x" * 500}
        UsageEntry.objects.bulk_create(UsageEntry(**fields, once=uuid.uuid4().hex) for _ in range(count))

    add(2 * under.CHUNK)
    few = peak()
    add(8 * under.CHUNK)
    assert peak() < 1.3 * few + 200_000


@pytest.mark.parametrize(("file_format", "begin"), [("csv", b"\xef\xbb\xbftime_utc,"), ("xlsx", b"PK\x03\x04")])
def test_the_first_bytes_ask_no_row(admin: User, key: ProviderKey, file_format: str, begin: bytes) -> None:
    book(key, 1)
    with CaptureQueriesContext(connection) as queries:
        assert next(exports.pieces(wanted(admin), file_format)).startswith(begin)
    assert not [query for query in queries if "usageentry" in query["sql"]]


# --- Who may -------------------------------------------------------------------------------------------------


def read(response: Any) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_people_take_their_own_rows(alice: User, bob: User, key: ProviderKey) -> None:
    book(key, 10, person=alice)
    book(key, 20, person=bob)
    book(key, 30, kind="external")
    assert [row["amount"] for row in read(signed_in(alice).get("/usage/export/"))] == ["10"]
    refused = signed_in(alice).get(f"/usage/export/?person={bob.pk}")
    assert refused.status_code == 422
    assert b"somebody else" in refused.content
    assert Export.objects.count() == 1


def test_an_export_is_kept_before_its_first_byte(alice: User, admin: User, key: ProviderKey) -> None:
    ended(alice, key)
    response = signed_in(admin).get(f"/usage/export/?period=last-month&person={alice.pk}&kind=settle&format=xlsx")
    kept = Export.objects.get()
    assert (kept.actor, kept.format, str(kept.first_day), str(kept.last_day)) == (
        admin, "xlsx", "2026-10-01", "2026-10-31"
    )  # fmt: skip
    assert kept.filters == {"person": str(alice.pk), "kind": "settle"}
    assert response["Content-Disposition"] == ('attachment; filename="videoforge-usage-2026-10-01-to-2026-10-31.xlsx"')
    assert response["Cache-Control"] == "private, no-store"
    assert b"".join(response.streaming_content).startswith(b"PK")


def test_the_rows_of_a_report_are_those_of_its_file(alice: User, admin: User) -> None:
    one, two = make_key("One"), make_key("Two")
    book(one, 10, person=alice)
    book(two, 20, person=alice)
    book(one, 5, kind="reserve", person=alice)
    client = signed_in(admin)
    assert [row["amount"] for row in read(client.get(f"/usage/export/?key={one.pk}"))] == ["10", "5"]
    assert [row["amount"] for row in read(client.get(f"/usage/export/?key={one.pk}&kind=settle"))] == ["10"]


@pytest.mark.parametrize("query", ["format=pdf", "period=own&from=x&to=y", "state=gone"])
def test_what_cannot_be_exported_leaves_no_trace(admin: User, query: str) -> None:
    assert signed_in(admin).get(f"/usage/export/?{query}").status_code == 422
    assert not Export.objects.exists()


def test_a_workbook_keeps_texts_that_look_like_something_else(admin: User, key: ProviderKey) -> None:
    note = "a_x0041_b <&> \r\n ]]> \x01\ufffe 😀"
    book(key, 1, note=note)
    (cells,) = as_xlsx(admin)
    # The library that reads it here leaves the escape as it stands; a spreadsheet takes it back.
    assert cells["note"] == "a_x005F_x0041_b <&> \r\n ]]>  😀"


def test_an_empty_month_is_a_workbook_with_a_heading(admin: User) -> None:
    assert as_xlsx(admin) == []


def test_columns_have_a_spreadsheets_names() -> None:
    assert [sheets._letters(place) for place in (0, 20, 25, 26, 701, 702)] == ["A", "U", "Z", "AA", "ZZ", "AAA"]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's plans")
def test_the_rows_of_clips_are_found_by_their_clips(alice: User, admin: User, key: ProviderKey) -> None:
    """Not by a walk through the ledger, which has rows of any time for a clip."""
    book(key, 60, person=alice, task=ended(alice, key))
    with CaptureQueriesContext(connection) as queries:
        assert len(as_csv(admin, "list=clips")) == 1
    (asked,) = [each["sql"] for each in queries if "note" in each["sql"] and "usageentry" in each["sql"]]
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN " + asked.replace("%", "%%"))
        plan = [str(row[3]) for row in cursor.fetchall()]
    assert "SEARCH generations_usageentry USING INDEX generations_usageentry_task" in " ".join(plan), plan
    assert not [line for line in plan if line.startswith("SCAN")], plan
