"""Sums of the ledger and of ended tasks per day and month, so that a report's cost does not grow with history.

Days and months are those of the books: ``settings.TIME_ZONE``. Every row is written by ``totals`` alone.
"""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from generations.models.keys import ProviderKey
from generations.models.ledger import EntryKind
from generations.models.tasks import MODE_CHOICES, UNIT_CHOICES, TaskState


class Grain(models.TextChoices):
    DAY = "day", _("Day")
    MONTH = "month", _("Month")


class Total(models.Model):
    """What both tables of sums have in common: for which time, and of what."""

    grain = models.CharField(max_length=5, choices=Grain.choices)
    starts_on = models.DateField()  # the day, or the first of the month
    key = models.ForeignKey(ProviderKey, models.PROTECT, related_name="+")
    model = models.CharField(max_length=60, blank=True)
    mode = models.CharField(max_length=20, choices=MODE_CHOICES, blank=True)
    unit = models.CharField(max_length=6, choices=UNIT_CHOICES)
    # All of the above in one word: a unique rule over columns that may be NULL would let rows appear twice.
    name = models.CharField(max_length=220, unique=True)

    class Meta:
        abstract = True


class LedgerTotal(Total):
    """Sum of the ledger's amounts of one kind."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    kind = models.CharField(max_length=8, choices=EntryKind.choices)
    amount = models.DecimalField(max_digits=20, decimal_places=4, default=0)
    entries = models.PositiveBigIntegerField(default=0)

    class Meta:
        permissions = (("view_team_usage", "Can view everybody's usage"),)
        indexes = (
            models.Index(fields=("grain", "starts_on"), name="ledger_total_when"),
            models.Index(fields=("key", "grain", "starts_on"), name="ledger_total_key"),
            models.Index(fields=("person", "grain", "starts_on"), name="ledger_total_person"),
        )

    def __str__(self) -> str:
        return f"{self.starts_on} {self.kind} {self.amount} {self.unit}"


class TaskTotal(Total):
    """Tasks that ended in one state, on the day on which the vendor's outcome was noticed.

    ``estimated`` and ``compared`` are sums over the same tasks: those with an estimate in the charge's unit and a
    known charge. What is not confirmed is in neither.
    """

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=TaskState.choices)
    tasks = models.BigIntegerField(default=0)
    unconfirmed = models.BigIntegerField(default=0)  # ended, and nobody said what it cost
    paid = models.BigIntegerField(default=0)  # with a charge above zero
    seconds = models.BigIntegerField(default=0)  # of video ordered
    charged = models.DecimalField(max_digits=20, decimal_places=4, default=0)
    estimated = models.DecimalField(max_digits=20, decimal_places=4, default=0)
    compared = models.DecimalField(max_digits=20, decimal_places=4, default=0)

    class Meta:
        indexes = (
            models.Index(fields=("grain", "starts_on"), name="task_total_when"),
            models.Index(fields=("key", "grain", "starts_on"), name="task_total_key"),
            models.Index(fields=("person", "grain", "starts_on"), name="task_total_person"),
        )

    def __str__(self) -> str:
        return f"{self.starts_on} {self.tasks} {self.state}"
