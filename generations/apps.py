from typing import Any

from django.apps import AppConfig
from django.core.management import call_command
from django.db.models.signals import post_migrate


class GenerationsConfig(AppConfig):
    name = "generations"
    verbose_name = "VideoForge"

    def ready(self) -> None:
        # These read tables, which exist only from here on.
        from django_q.signals import post_spawn

        from generations import (
            audit,
            checks,  # noqa: F401  (registers itself)
        )

        audit.register()
        post_migrate.connect(ensure_schedules, sender=self)
        post_migrate.connect(ensure_cache_table, sender=self)
        post_spawn.connect(start_rounds)


def ensure_schedules(**_kwargs: Any) -> None:
    """One row per schedule, however often this runs."""
    from django_q.models import Schedule

    from generations.jobs import SCHEDULES

    for name, job, minutes in SCHEDULES:
        Schedule.objects.update_or_create(
            name=name, defaults={"func": job, "schedule_type": Schedule.MINUTES, "minutes": minutes, "repeats": -1}
        )


def ensure_cache_table(using: str, **_kwargs: Any) -> None:
    """Where the cache is a table it has to be there before the first sign-in; Django makes none by itself."""
    call_command("createcachetable", database=using, verbosity=0)


def start_rounds(**_kwargs: Any) -> None:
    """django-q's scheduler looks for the first time after 30 seconds; a new worker does not wait for it."""
    from generations import rounds

    rounds.kick()
