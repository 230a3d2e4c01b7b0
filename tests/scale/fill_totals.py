"""The sums of many rows at once, by the database itself; ``totals.check`` finds them right.

Only for rows that a generator wrote, in books that are kept in UTC: the day of a moment is then a matter of its text.
"""

from django.db import connection

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
    day, first = DAY[connection.vendor].format(at=at), FIRST[connection.vendor]
    added = [f"sum({name})" for name in sums]
    days = _select([day, *cell, *sums.values()], f"generations_{source} WHERE {where}", [day, *cell])
    months = _select([first, *columns, *added], f"generations_{into} WHERE grain = 'day'", [first, *columns])
    names = ["starts_on", *columns, *sums]
    word = " || '|' || ".join(f"coalesce(CAST({name} AS TEXT), '-')" for name in names[: 1 + len(columns)])
    for grain, rows in (("day", days), ("month", months)):
        listed = ", ".join(names)
        statement = f"INSERT INTO generations_{into} (grain, name, {listed}) WITH named ({listed}) AS ({rows}) "
        with connection.cursor() as cursor:
            cursor.execute(f"{statement} SELECT '{grain}', '{grain}|' || {word}, {listed} FROM named")  # noqa: S608


def _select(what: list[str], source: str, by: list[str]) -> str:
    return f"SELECT {', '.join(what)} FROM {source} GROUP BY {', '.join(by)}"  # noqa: S608
