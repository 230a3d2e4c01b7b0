"""Shortens pauses that are no settings, in every process of the house. No rule changes, only the clock."""

from datetime import timedelta
from importlib import import_module

from django.apps import AppConfig

SOONER: dict[tuple[str, str], object] = {
    ("generations.lifecycle.sending", "FIRST_LOOK"): timedelta(seconds=5),
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
        for provider in PROVIDERS.values():
            if provider.poll_floor:
                provider.poll_floor = provider.poll_every = POLL_FLOOR
