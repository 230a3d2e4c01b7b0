import json
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Count, Min
from django.utils import timezone

from generations import health, ledger
from generations.models import Creation, CreationState, ProviderKey, RequestCount, Task, TaskState
from generations.providers.base import CallKind


def collect() -> dict[str, Any]:
    """Where everything stands, as plain values; amounts are decimal strings in their own unit."""
    pending = Creation.objects.filter(state=CreationState.PENDING).aggregate(Min("deadline"), Min("created_at"))
    oldest = pending["created_at__min"]
    return {
        "tasks": _counts(Task, TaskState.values),
        "creations": _counts(Creation, CreationState.values),
        "next_deadline": pending["deadline__min"],
        "oldest_unarchived_s": round((timezone.now() - oldest).total_seconds(), 1) if oldest else None,
        "usage": ledger.totals(),
        "worker": _worker(),
        "requests": _requests(),
    }


def _worker() -> dict[str, Any]:
    found = health.figures()
    age = found.oldest_queued_s
    return {
        "alive": found.alive,
        "last_beat": found.last_beat,
        "queued": found.queued,
        "oldest_queued_s": None if age is None else round(age, 1),
        "stuck": found.stuck,
    }


def _counts(table: type[Task] | type[Creation], states: list[str]) -> dict[str, int]:
    found = dict(table._default_manager.order_by().values_list("state").annotate(Count("pk")))
    return {state: found.get(state, 0) for state in states}


def _requests() -> dict[str, dict[str, int]]:
    shown = {
        label: {kind.value: 0 for kind in CallKind} for label in ProviderKey.objects.values_list("label", flat=True)
    }
    for label, kind, count in RequestCount.objects.values_list("key__label", "kind", "count"):
        shown[label][kind] = count
    return shown


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


class Command(BaseCommand):
    help = "Show where tasks, copies, money and the worker stand."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object for other programs")

    def handle(self, *args: Any, **options: Any) -> None:
        found = collect()
        if options["json"]:
            self.stdout.write(json.dumps(found, default=_plain))
            return
        for name, value in json.loads(json.dumps(found, default=_plain)).items():
            self.stdout.write(f"{name}: {_line(value)}")


def _line(value: Any) -> str:
    if not isinstance(value, dict):
        return "none" if value is None else str(value)
    return (
        ", ".join(
            f"{name} {_line(each)}" if not isinstance(each, dict) else f"{name} ({_line(each)})"
            for name, each in value.items()
            if each
        )
        or "none"
    )
