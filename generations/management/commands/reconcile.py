import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import QuerySet
from django.utils import timezone

from generations import reconciliation, totals
from generations.management.refusal import refuse
from generations.models import Difference, DifferenceState, KeyState, ProviderKey, Reconciliation
from generations.reconciliation import wording

MOST_LINES = 200  # of one key; more are counted


class Command(BaseCommand):
    help = "Compare the ledger with what vendors say; exit 1 while a difference is open, or nothing could be compared."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--key", default="", help="label of one key; without it every one that was used in the time"
        )
        parser.add_argument("--from", dest="first", default="", help="a day or a time of the books; seven days ago")
        parser.add_argument("--to", dest="last", default="", help="a day, which is included, or a time; now")

    def handle(self, *args: Any, **options: Any) -> None:
        to_at = min(_moment("to", options["last"], ends=True) or timezone.now(), timezone.now())
        from_at = _moment("from", options["first"]) or to_at - reconciliation.WINDOW
        chosen = list(_keys(options["key"]))
        if from_at >= to_at:
            refuse("from: the window ends before it begins.")
        runs = []
        for key in chosen:
            if options["key"] or not (why := _why_not(key, from_at, to_at)):
                runs.append(self._compare(key, from_at, to_at))
            else:
                self.stdout.write(f"{key.label} ({key.get_provider_display()}): not compared: {why}")
        self.stdout.write(_sum_of(runs))
        if not runs or not all(run.is_explained for run in runs):
            sys.exit(1)

    def _compare(self, key: ProviderKey, from_at: datetime, to_at: datetime) -> Reconciliation:
        run = reconciliation.run_now(key, from_at, to_at)
        said, _tone = wording.verdict(run)
        counted = f"{run.listed} tasks, {run.same} the same"
        self.stdout.write(f"{key.label} ({key.get_provider_display()}): {counted}. {said}")
        for each in wording.notes(run):
            self.stdout.write(f"  {each}")
        found = run.seen.filter(state=DifferenceState.OPEN).order_by("kind", "pk")
        for difference in found[:MOST_LINES]:
            self.stdout.write(f"  {_line(difference)}")
        if (left := found.count() - MOST_LINES) > 0:
            self.stdout.write(f"  and {left} more")
        return run


def _line(difference: Difference) -> str:
    name = " ".join(filter(None, (difference.remote_id, str(difference.facts.get("model") or ""))))
    task = f" (task {difference.task_id})" if difference.task_id else ""
    return f"{wording.KINDS[difference.kind]}: {name}{task}: {wording.sentence(difference)}"


def _sum_of(runs: list[Reconciliation]) -> str:
    """The last line: to the last amount only where nothing is left to say."""
    if not runs:
        return "Nothing was compared: no key was used in this time, and none has an open difference."
    explained = sum(run.is_explained for run in runs)
    rest = [f"{number} {what}" for number, what in _counts(runs) if number]
    whole = " to the last amount" if explained and not rest else ""
    if blind := sum(not run.lists for run in runs):
        rest = [f"of {blind} only what was sent from here, for their vendors have no full list", *rest]
    return "; ".join([f"{explained} of {len(runs)} keys explained{whole}", *rest])


def _counts(runs: list[Reconciliation]) -> Iterator[tuple[int, str]]:
    """What "explained" does not say."""
    yield sum(wording.left(run)[0] for run in runs), "differences were left as they are"
    yield sum(run.unlisted for run in runs), "clips of the last hour were booked and are not in the vendors' lists yet"
    yield sum(run.unconfirmed for run in runs), "charges are not confirmed by their vendors"
    yield sum(run.forgotten for run in runs), "clips are not known to their vendors any more and cannot be checked"
    still_open = Difference.objects.filter(key__in=[run.key for run in runs], state=DifferenceState.OPEN)
    seen = sum(run.seen.filter(state=DifferenceState.OPEN).count() for run in runs)
    yield max(0, still_open.count() - seen), "differences of another time are open"


def _keys(label: str) -> QuerySet[ProviderKey]:
    keys = ProviderKey.objects.order_by("provider", "label")
    if label and not keys.filter(label=label).exists():
        refuse(f"key: there is no key with the label {label!r}.")
    return keys.filter(label=label) if label else keys


def _why_not(key: ProviderKey, from_at: datetime, to_at: datetime) -> str:
    """Why a key that nobody named is left out; "" for what was used, whatever became of it since."""
    if reconciliation.is_of(key, from_at, to_at):
        return ""
    if Difference.objects.filter(key=key, state=DifferenceState.OPEN).exists():
        return ""
    state = "it is disabled and" if key.state == KeyState.DISABLED else "its vendor has no list, and it"
    return f"{state} was not used in this time"


def _moment(name: str, text: str, *, ends: bool = False) -> datetime | None:
    """A time, or the beginning of a day of the books, or its end."""
    if not text:
        return None
    try:
        if len(text) == len("2026-01-31"):
            return totals.starts_at(date.fromisoformat(text) + timedelta(days=int(ends)))
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        refuse(f"{name}: write a day as 2026-01-31, or a time as 2026-01-31T08:00.")
    return moment if moment.tzinfo else moment.replace(tzinfo=totals.zone())
