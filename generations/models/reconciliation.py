"""Our ledger beside a vendor's own list."""

from django.conf import settings
from django.db import models
from django.db.models import Case, Count, Exists, OuterRef, Q, Subquery, When
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from generations.models.keys import ProviderKey
from generations.models.ledger import UsageEntry
from generations.models.tasks import UNIT_CHOICES, Task


class RunState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    RUNNING = "running", _("Running")
    COMPLETE = "complete", _("Complete")
    INCOMPLETE = "incomplete", _("Incomplete")  # the list was not read to its end: nothing may be called explained
    FAILED = "failed", _("Failed")


# A gap of the balance moves on with every reading, and some rows of a vendor's have no time.
_AT_NO_TIME = Q(kind="balance") | Q(happened_at=None)
# An administrator left it as it is, with a reason: the books still differ.
LEFT = Q(state="settled", entry=None, facts__how="keep")


class ReconciliationQuerySet(models.QuerySet["Reconciliation"]):
    def with_open(self) -> "ReconciliationQuerySet":
        """Each with how many of the differences that it saw are ``still_open`` and ``left``; in one query.

        At least one is open where it saw some and nobody can say that they are settled.
        """
        until = Q(key=OuterRef("key"), found_at__lte=OuterRef("ended_at"))
        inside = Q(happened_at__gte=OuterRef("from_at"), happened_at__lte=OuterRef("to_at")) | _AT_NO_TIME
        here = Q(run=OuterRef("pk")) | until & inside & Q(run__gt=OuterRef("pk"))
        still_open = Difference.objects.filter(state=DifferenceState.OPEN).order_by()
        left = Difference.objects.filter(here & LEFT).order_by()
        unsure = Case(When(Q(found__gt=0) & Exists(still_open.filter(until)), then=1), default=0)
        return self.annotate(still_open=Greatest(_number(still_open.filter(here)), unsure), left=_number(left))


def _number(rows: "models.QuerySet[Difference]") -> Coalesce:
    return Coalesce(Subquery(rows.values("key").annotate(number=Count("pk")).values("number")), 0)


class Reconciliation(models.Model):
    """One comparison of a key's window of time. ``explained`` only when read whole and nothing is left open."""

    key = models.ForeignKey(ProviderKey, models.PROTECT, related_name="reconciliations", verbose_name=_("API key"))
    from_at = models.DateTimeField(_("from"))
    to_at = models.DateTimeField(_("to"))
    state = models.CharField(_("state"), max_length=10, choices=RunState.choices, default=RunState.WAITING)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("asked by")
    )
    nightly = models.BooleanField(_("by itself, at night"), default=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    started_at = models.DateTimeField(_("begun"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    lists = models.BooleanField(_("the vendor has a full list"), default=False)
    listed = models.PositiveIntegerField(_("listed"), default=0)  # tasks in the vendor's list, or asked one by one
    same = models.PositiveIntegerField(_("same"), default=0)
    pages = models.PositiveIntegerField(_("pages of the list"), default=0)
    found = models.PositiveIntegerField(_("differences seen"), default=0)
    unread = models.PositiveIntegerField(_("answers not read"), default=0)  # rows or answers
    confirmed = models.PositiveIntegerField(_("charges confirmed"), default=0)  # that nobody had told until this run
    unconfirmed = models.PositiveIntegerField(_("charges not confirmed"), default=0)  # ended, and no charge is named
    forgotten = models.PositiveIntegerField(_("not known to the vendor any more"), default=0)  # asked one by one
    lost = models.PositiveIntegerField(_("creates without an answer"), default=0)  # about which a person decides
    elsewhere = models.PositiveIntegerField(_("made with other keys"), default=0)  # of the same account
    unlisted = models.PositiveIntegerField(_("booked and not listed yet"), default=0)  # too new for a list to lack them
    balance_gap = models.DecimalField(  # drop of the balance - our rows
        _("balance beyond our rows"), max_digits=14, decimal_places=4, null=True
    )
    error = models.TextField(_("what was in the way"), blank=True, default="")

    objects = ReconciliationQuerySet.as_manager()

    class Meta:
        verbose_name = _("reconciliation")
        verbose_name_plural = _("reconciliations")
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.key.label} {self.from_at:%Y-%m-%d} – {self.to_at:%Y-%m-%d}: {self.state}"

    @property
    def seen(self) -> "models.QuerySet[Difference]":
        """What this run saw, also what a later one found again and stands with that one now."""
        again = Q(key=self.key_id, run__gt=self.pk, found_at__lte=self.ended_at or timezone.now())
        inside = Q(happened_at__range=(self.from_at, self.to_at)) | _AT_NO_TIME
        return Difference.objects.filter(Q(run=self) | again & inside)

    @property
    def left_as_it_is(self) -> "models.QuerySet[Difference]":
        """What it saw and an administrator decided not to book."""
        return self.seen.filter(LEFT)

    @property
    def is_explained(self) -> bool:
        """Read whole, and nothing left that the two books see differently and nobody decided about.

        A difference stands with the last run that saw it. So one that saw some waits for all that its key had then.
        """
        if self.state != RunState.COMPLETE or self.lost:
            return False
        still_open = Difference.objects.filter(state=DifferenceState.OPEN)
        until = Q(key=self.key_id, found_at__lte=self.ended_at or timezone.now())
        return not self.seen.filter(state=DifferenceState.OPEN).exists() and not (
            self.found and still_open.filter(until).exists()
        )


class DifferenceKind(models.TextChoices):
    AMOUNT = "amount", _("Amount differs")
    STATE = "state", _("State differs")
    THEIRS = "theirs", _("Not made here")
    OURS = "ours", _("Not in the vendor's list")
    BALANCE = "balance", _("Balance moved otherwise")


class DifferenceState(models.TextChoices):
    OPEN = "open", _("Open")
    SETTLED = "settled", _("Settled")  # by a row of the ledger
    ADOPTED = "adopted", _("Taken into the library")
    GONE = "gone", _("Gone by itself")  # a later run, or a poll, found them alike


class Difference(models.Model):
    """One thing that ledger and vendor see differently. Found again, it is the same row."""

    run = models.ForeignKey(  # the last that saw it
        Reconciliation, models.PROTECT, related_name="differences", verbose_name=_("reconciliation")
    )
    key = models.ForeignKey(ProviderKey, models.PROTECT, related_name="differences", verbose_name=_("API key"))
    kind = models.CharField(_("kind"), max_length=7, choices=DifferenceKind.choices)
    state = models.CharField(_("state"), max_length=7, choices=DifferenceState.choices, default=DifferenceState.OPEN)
    task = models.ForeignKey(Task, models.PROTECT, null=True, related_name="differences", verbose_name=_("task"))
    remote_id = models.CharField(_("vendor task"), max_length=120, blank=True, default="")
    ours = models.DecimalField(_("ours"), max_digits=14, decimal_places=4, null=True)
    theirs = models.DecimalField(_("theirs"), max_digits=14, decimal_places=4, null=True)
    unit = models.CharField(_("unit"), max_length=6, choices=UNIT_CHOICES)
    facts = models.JSONField(_("facts"), default=dict)  # of the vendor's row, and what was decided: ``how``, ``reason``
    happened_at = models.DateTimeField(_("made"), null=True)  # when the task was made, by the vendor's clock
    found_at = models.DateTimeField(_("found"), default=timezone.now)
    closed_at = models.DateTimeField(_("closed"), null=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("closed by")
    )
    entry = models.ForeignKey(
        UsageEntry, models.PROTECT, null=True, related_name="+", verbose_name=_("row that settled it")
    )

    class Meta:
        verbose_name = _("difference")
        verbose_name_plural = _("differences")
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(
                fields=("key", "kind", "remote_id"), condition=Q(state="open"), name="one_open_difference"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.remote_id}"

    @property
    def is_left(self) -> bool:
        """Left as it is, with a reason; see ``LEFT``."""
        decided = self.state == DifferenceState.SETTLED and self.entry_id is None
        return decided and self.facts.get("how") == "keep"

    @property
    def figures(self) -> str:
        """Both amounts as a page posts them back, so that nobody settles what he was not shown."""
        return " ".join("-" if each is None else f"{each.normalize():f}" for each in (self.ours, self.theirs))


class BalanceReading(models.Model):
    """What a vendor said an account had left: the last of each UTC hour. Only ever grows by rows."""

    key = models.ForeignKey(ProviderKey, models.CASCADE, related_name="readings", verbose_name=_("API key"))
    hour = models.DateTimeField(_("hour"))  # UTC, its start
    at = models.DateTimeField(_("time"))
    balance = models.DecimalField(_("balance"), max_digits=14, decimal_places=4)

    class Meta:
        verbose_name = _("balance reading")
        verbose_name_plural = _("balance readings")
        constraints = (models.UniqueConstraint(fields=("key", "hour"), name="one_reading_per_hour"),)

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}:00 {self.balance}"
