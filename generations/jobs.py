"""What django-q runs. Guarantee: at least once, so each job re-reads its row, claims what it does, and may run twice.

The names stand in queue rows; a name that was ever released keeps working.
"""

from datetime import timedelta

from django.conf import settings

from generations import alerts, delivery, health, keys, leases, lookup, polling, reconciliation, rounds, saving, totals
from generations import dispatch as dispatching
from generations.models import Task

TOTALS_FILLED = "totals-filled "  # and the time zone: a sign in the table of leases, all days were summed once
SCHEDULES = (
    # name, job, minutes
    ("videoforge-poll", "generations.jobs.poll", 1),
)


def poll() -> None:
    """Go round, or stand by for the one that does."""
    rounds.go_round()


def pulse() -> None:
    """Proof that queued jobs are run; see ``health``."""
    leases.beat(health.PULSE)


def dispatch() -> None:
    """Claim waiting tasks for free slots; wakes up right after Generate, so nobody waits for the next round."""
    dispatching.dispatch()


def submit(attempt_id: int) -> None:
    dispatching.submit(attempt_id)


def look_up(attempt_id: int) -> None:
    lookup.look_up(attempt_id)


def adopt(attempt_id: int, remote_id: str) -> None:
    lookup.adopt(attempt_id, remote_id)


def ask(task_id: str) -> None:
    polling.ask(Task.objects.select_related("attempt__key").get(pk=task_id))


def archive(creation_id: str) -> None:
    saving.save(creation_id)


def cancel(task_id: str) -> None:
    keys.cancel_at_vendor(Task.objects.select_related("attempt__key").get(pk=task_id))


def test_key(key_id: int) -> None:
    keys.test(key_id)


def deliver_alert(alert_id: int) -> None:
    delivery.deliver(alert_id)


def check_totals() -> None:
    """Compare the sums with their rows: all of them at first and after another time zone, later the last weeks'."""
    filled = TOTALS_FILLED + settings.TIME_ZONE
    first = leases.last_beat(filled) is None
    wrong = totals.check(None if first else totals.today() - timedelta(days=40))
    if wrong and not first:
        alerts.sums_repaired(wrong)
    leases.forget(TOTALS_FILLED)
    leases.beat(filled)


def refresh_key(key_id: int) -> None:
    keys.refresh(key_id)


def reconcile(run_id: int) -> None:
    reconciliation.in_worker(run_id)


def adopt_stranger(difference_id: int, owner_id: int, actor_id: int) -> None:
    reconciliation.adopt(difference_id, owner_id, actor_id)
