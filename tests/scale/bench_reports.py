"""How long the pages of usage take, with few rows and with many: ``make bench-reports``. Prints figures.

Each size has a database of its own, in BENCH_FOLDER if that is set, else in a scratch folder; one that is there already
is used again. With DATABASE_URL on a PostgreSQL server they are made there: ``python -m tests.postgresql
tests.scale.bench_reports``. Sizes are the arguments, 10,000 and 1,000,000 rows unless told.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

SIZES = (10_000, 1_000_000)
ROUNDS = 20
EXPORTED = 100_000
PAGES = (
    "/usage/",
    "/usage/?by=key&then=day",
    "/usage/?by=person&then=-",
    "/usage/?by=model&then=-",
    "/usage/?by=vendor&then=-",
    "/usage/?by=mode&then=-",
    "/usage/?view=failures",
    "/usage/?view=estimates",
    "/usage/?period=last-month&by=day&then=model",
    "/usage/?period=30-days&by=person&then=model",
    "/usage/?period=year&by=month&then=vendor",
    "/usage/?period=year&by=day",
    "/usage/rows/?period=last-month",
    "/usage/rows/?period=last-month&list=clips",
    "/usage/rows/?period=year&key=1&unit=credit&kind=settle",
    "/usage/rows/?period=year&list=clips&view=failures",
    "/admin/",
    "/admin/generations/providerkey/",
)


def address_of(size: int, folder: Path) -> dict[str, str]:
    """The environment of a process that looks at the database of this size."""
    own = folder / f"rows-{size}"
    own.mkdir(parents=True, exist_ok=True)
    found = {"VIDEOFORGE_DATA": str(own), "DJANGO_SETTINGS_MODULE": "tests.settings"}
    server = os.environ.get("DATABASE_URL", "")
    if server.startswith("postgres"):
        import psycopg

        base, _, _ = server.rpartition("/")
        with psycopg.connect(server, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [f"rows_{size}"]).fetchone():
                connection.execute(f"CREATE DATABASE rows_{size}")
        found["DATABASE_URL"] = f"{base}/rows_{size}"
    return found


def measure(size: int, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.scale.bench_reports", "--one", str(size)]
    done = subprocess.run(command, env={**os.environ, **address_of(size, folder)}, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout.decode().splitlines()[-1])
    return found


# --- In a process of its own ---------------------------------------------------------------------------------


def one(size: int) -> dict[str, Any]:
    import django

    django.setup()
    import logging

    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client

    from generations.models import Role, UsageEntry, User
    from tests import cookies
    from tests.scale.ledger_rows import make_rows

    logging.disable(logging.CRITICAL)
    settings.ALLOWED_HOSTS = ["*"]
    call_command("migrate", verbosity=0)
    if not UsageEntry.objects.exists():
        make_rows(size)
        if connection.vendor == "postgresql":
            connection.cursor().execute("ANALYZE")
    _check_some_days()
    user, _ = User.objects.get_or_create(username="bench", defaults={"role": Role.ADMIN})
    client = Client()
    with cookies.understood():
        client.force_login(user)
    pages = {address: _times(client, address) for address in PAGES}
    return {"rows": UsageEntry.objects.count(), "pages": pages, "exports": dict(_exports(user, size))}


def _check_some_days() -> None:
    """The sums that the database made at once are those that the app would have made."""
    from generations import totals

    day = totals.today() - timedelta(days=40)
    assert totals.check(day, day, repair=False) == []


def _times(client: Any, address: str) -> tuple[float, float]:
    """In milliseconds the 95th of a hundred, of twenty requests the last but one; and what it cost our processor,
    in the middle, which does not depend on what else the machine does (a database server's work is not in it).
    """
    took, cost = [], []
    client.get(address)
    for _ in range(ROUNDS):
        started, used = time.perf_counter(), time.process_time()
        response = client.get(address)
        took.append((time.perf_counter() - started) * 1000)
        cost.append((time.process_time() - used) * 1000)
        assert response.status_code == 200, (address, response.status_code)
    return sorted(took)[-2], median(cost)


def _exports(user: Any, size: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Of a hundred thousand rows, or of all there are: the first byte, the last, and what memory it took."""
    from django.http import QueryDict

    from generations import exports, totals
    from generations.reports import Filters
    from generations.reports.rows import entries

    days = max(1, min(720, round(720 * EXPORTED / size)))
    last = totals.today()
    query = QueryDict(f"period=own&from={last - timedelta(days=days)}&to={last}")
    for file_format in ("csv", "xlsx"):
        filters = Filters.read(query, user)
        rows = entries(filters).count()
        before, started = _peak(fresh=True), time.perf_counter()
        pieces = exports.pieces(filters, file_format)
        length = len(next(pieces))
        first = time.perf_counter() - started
        length += sum(len(piece) for piece in pieces)
        took = time.perf_counter() - started
        yield file_format, {
            "rows": rows, "first": first, "took": took, "mb": length / 1e6, "memory": _peak() - before,
        }  # fmt: skip


def _peak(*, fresh: bool = False) -> float:
    """This process' highest memory in MB, since it was last asked for afresh."""
    if fresh:
        Path("/proc/self/clear_refs").write_text("5")
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


# --- Telling -------------------------------------------------------------------------------------------------


def show(found: list[dict[str, Any]]) -> None:
    _say(f"{ROUNDS} requests each, ms: p95 (processor, median)" + "".join(f"{each['rows']:>15,}" for each in found))
    for address in PAGES:
        times = [each["pages"][address] for each in found]
        ratio = f"{times[-1][1] / times[0][1]:7.2f} times" if len(times) > 1 else ""
        _say(f"{address:56}" + "".join(f"{took:9.0f} ({cost:4.0f})" for took, cost in times) + ratio)
    for each in found:
        for name, told in each["exports"].items():
            _say(
                f"{name} of {told['rows']:,.0f} rows: first byte {told['first']:.2f} s, all {told['took']:.1f} s, "
                f"{told['mb']:.1f} MB, memory grew by {told['memory']:.0f} MB"
            )


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        _say(json.dumps(one(int(sys.argv[2]))))
        return
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    kept = os.environ.get("BENCH_FOLDER")
    with tempfile.TemporaryDirectory(prefix="videoforge-bench-") as scratch:
        show([measure(size, Path(kept or scratch)) for size in sizes])


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
