"""django-q's own command, with one thing added: a stop is told to the heartbeat, which otherwise ends its minute."""

from django_q import cluster
from django_q.management.commands import qcluster

from generations import jobs, rounds

# Loaded before the cluster forks, jobs and all they use are in memory once and not in each worker.
LOADED = jobs


class Cluster(cluster.Cluster):  # type: ignore[misc]  # django-q is untyped
    def stop(self) -> bool:
        rounds.going_down.value = 1
        return bool(super().stop())


class Command(qcluster.Command):  # type: ignore[misc]
    help = "Start the worker cluster: sends, polls and archives."

    def handle(self, *args: object, **options: object) -> None:
        qcluster.Cluster = Cluster
        super().handle(*args, **options)
