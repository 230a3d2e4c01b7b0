"""The one place that hands jobs to django-q.

With the ORM broker the queue row joins the caller's transaction: the change of state and the job that follows it
land together or not at all. A job is only a wake-up: it gets ids, re-reads the rows and claims what it does, so
running twice is harmless, and what a crash swallows the sweep wakes again.
"""

from uuid import UUID

from django_q.tasks import async_task

# Seconds. A large clip over a slow line takes its time; its claim, not the queue, says who is at it.
TIMEOUTS = {"archive": 6 * 3600, "reconcile": 3600}


def enqueue(job: str, *ids: int | str | UUID) -> None:
    """Queue ``generations.jobs.<job>`` with these row ids."""
    options = {"timeout": TIMEOUTS[job]} if job in TIMEOUTS else {}
    plain = [str(each) if isinstance(each, UUID) else each for each in ids]
    async_task(f"generations.jobs.{job}", *plain, q_options=options)
