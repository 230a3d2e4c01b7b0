"""Shortens pauses that are no settings, in every process of the house. No rule changes, only the clock."""

import errno
import os
from datetime import timedelta
from importlib import import_module
from pathlib import Path

from django.apps import AppConfig

SOONER: dict[tuple[str, str], object] = {
    ("generations.lifecycle.answers", "FIRST_LOOK"): timedelta(seconds=5),
    ("generations.sweep", "LOOK_AGAIN"): timedelta(seconds=6),
    ("generations.sweep", "UNANSWERED_AFTER"): timedelta(seconds=25),  # longer than the vendors hang here
}
POLL_FLOOR = 6.0  # seconds, where the real vendor asks for thirty


class Haste(AppConfig):
    name = "tests.chaos"
    label = "chaos"

    def ready(self) -> None:
        from generations.providers import PROVIDERS

        for (module, name), value in SOONER.items():
            owner = import_module(module)
            assert hasattr(owner, name), f"{module}.{name} is gone"
            setattr(owner, name, value)
        if heap := os.environ.get("CHAOS_DISK_IS_FULL_WHILE"):
            _refuse_to_write_while(Path(heap))
        for provider in PROVIDERS.values():
            if provider.poll_floor:
                provider.poll_floor = provider.poll_every = POLL_FLOOR


def _refuse_to_write_while(heap: Path) -> None:
    """The stand-in for a small disk, where none may be mounted."""
    from generations.archive import Part

    write = Part.write

    def full(part: Part, chunk: bytes) -> None:
        if heap.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(part, chunk)

    Part.write = full  # type: ignore[method-assign]
