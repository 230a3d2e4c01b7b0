import sys
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
    help = "Compare the ledger with what vendors say; exit 1 while anything is not explained to the last amount."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--key", default="", help="label of one key; without it every key that is not disabled")
        parser.add_argument("--from", dest="first", default="", help="a day or a time of the books; seven days ago")
        parser.add_argument("--to", dest="last", default="", help="a day, which is included, or a time; now")

    def handle(self, *args: Any, **options: Any) -> None:
        keys = _keys(options["key"])
        to_at = min(_moment("to", options["last"], ends=True) or timezone.now(), timezone.now())
        from_at = _moment("from", options["first"]) or to_at - reconciliation.WINDOW
        if from_at >= to_at:
            refuse("from: the window ends before it begins.")
        runs = [self._compare(key, from_at, to_at) for key in keys]
        explained = sum(run.is_explained for run in runs)
        unsaid = sum(run.unconfirmed for run in runs)
        rest = f"; {unsaid} charges are not confirmed by their vendors" if unsaid else ""
        if gone := sum(run.forgotten for run in runs):
            rest += f"; {gone} clips are not known to their vendors any more and cannot be checked"
        self.stdout.write(f"{explained} of {len(runs)} keys explained to the last amount{rest}")
        if explained < len(runs):
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


def _keys(label: str) -> QuerySet[ProviderKey]:
    keys = ProviderKey.objects.order_by("provider", "label")
    if not label:
        return keys.exclude(state=KeyState.DISABLED)
    if not keys.filter(label=label).exists():
        refuse(f"key: there is no key with the label {label!r}.")
    return keys.filter(label=label)


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
