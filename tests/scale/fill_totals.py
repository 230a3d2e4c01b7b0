"""The sums of many rows at once, by the database itself; ``totals.check`` finds them right.

Only for rows that a generator wrote, in books that are kept in UTC: the day of a moment is then a matter of its text.
"""

from django.db import connection

ZONE = "UTC"
ENTRY = ("key_id", "person_id", "model", "mode", "unit", "kind")
TASK = ("key_id", "owner_id", "model", "mode", "unit", "state")
DAY = {"sqlite": "date({at})", "postgresql": "({at} AT TIME ZONE 'UTC')::date"}
FIRST = {"sqlite": "date(starts_on, 'start of month')", "postgresql": "date_trunc('month', starts_on)::date"}
TASK_SUMS = {
    "tasks": "count(*)",
    "unconfirmed": "count(*) - count(charge)",
    "paid": "sum(CASE WHEN charge <> 0 THEN 1 ELSE 0 END)",
    "seconds": "sum(duration)",
    "charged": "coalesce(sum(charge), 0)",
    "estimated": "coalesce(sum(CASE WHEN charge IS NOT NULL THEN estimate END), 0)",
    "compared": "coalesce(sum(CASE WHEN estimate IS NOT NULL THEN charge END), 0)",
}
ENTRY_SUMS = {"amount": "sum(amount)", "entries": "count(*)"}


def fill() -> None:
    """Both tables of sums, from nothing."""
    at = "coalesce(made_at, finished_at)"
    ended = "state IN ('succeeded', 'failed', 'cancelled', 'lost') AND finished_at IS NOT NULL"
    _fill("ledgertotal", "usageentry", ENTRY, ENTRY_SUMS, "at", "1 = 1")
    _fill("tasktotal", "task", TASK, TASK_SUMS, at, ended)


def _fill(into: str, source: str, cell: tuple[str, ...], sums: dict[str, str], at: str, where: str) -> None:
    columns = [name.replace("owner_id", "person_id") for name in cell]
    day = DAY[connection.vendor].format(at=at)
    days = f"SELECT {day} AS starts_on, {', '.join(cell)}, {', '.join(sums.values())} FROM generations_{source} "
    days += f"WHERE {where} GROUP BY {day}, {', '.join(cell)}"
    first, added = FIRST[connection.vendor], [f"sum({name})" for name in sums]
    months = f"SELECT {first}, {', '.join(columns)}, {', '.join(added)} FROM generations_{into} WHERE grain = 'day' "
    months += f"GROUP BY {first}, {', '.join(columns)}"
    for grain, rows in (("day", days), ("month", months)):
        names = ["starts_on", *columns, *sums]
        word = " || '|' || ".join(_text(name) for name in names[: 1 + len(columns)])
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO generations_{into} (grain, name, {', '.join(names)}) "
                f"SELECT '{grain}', '{grain}|' || {word}, {', '.join(names)} "
                f"FROM (SELECT * FROM ({rows}) AS r) AS named ({', '.join(names)})"
                if connection.vendor == "postgresql"
                else f"INSERT INTO generations_{into} (grain, name, {', '.join(names)}) "
                f"WITH named ({', '.join(names)}) AS ({rows}) "
                f"SELECT '{grain}', '{grain}|' || {word}, {', '.join(names)} FROM named"
            )


def _text(name: str) -> str:
    return f"coalesce(CAST({name} AS TEXT), '-')"
