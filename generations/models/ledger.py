from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from generations.models.keys import ProviderKey, provider_choices
from generations.models.tasks import UNIT_CHOICES, Task


class EntryKind(models.TextChoices):
    RESERVE = "reserve", _("Reserve")  # held from the press until the outcome is known
    RELEASE = "release", _("Release")  # the hold ends
    SETTLE = "settle", _("Settle")  # what the task cost in the end, once
    REFUND = "refund", _("Refund")
    EXTERNAL = "external", _("External")  # spent on the key, but not by us
    ADJUST = "adjust", _("Adjust")
    TOP_UP = "top-up", _("Top-up")


class EntrySource(models.TextChoices):
    VENDOR = "vendor", _("Vendor")
    PRICE_LIST = "price list", _("Price list")
    ADMIN = "admin", _("Administrator")
    HISTORY = "history", _("Our own experience")  # what clips of the kind were charged before; of holds alone


class UsageQuerySet(models.QuerySet["UsageEntry"]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise TypeError("Ledger rows are never changed; write a reversing row.")

    def delete(self) -> NoReturn:
        raise TypeError("Ledger rows are never deleted; write a reversing row.")


class UsageEntry(models.Model):
    """One line of the ledger, in one unit. Insert only: a mistake is corrected by a further row."""

    at = models.DateTimeField(_("time"), default=timezone.now)
    kind = models.CharField(_("kind"), max_length=8, choices=EntryKind.choices)
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=4)
    unit = models.CharField(_("unit"), max_length=6, choices=UNIT_CHOICES)
    source = models.CharField(_("source"), max_length=10, choices=EntrySource.choices)
    price_list = models.CharField(_("price list"), max_length=40, blank=True, default="")
    key = models.ForeignKey(ProviderKey, models.PROTECT, related_name="usage", verbose_name=_("API key"))
    provider = models.SlugField(_("provider"), max_length=20, choices=provider_choices)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="usage", verbose_name=_("person")
    )
    task = models.ForeignKey(Task, models.PROTECT, null=True, related_name="usage", verbose_name=_("task"))
    model = models.CharField(_("model"), max_length=60, blank=True, default="")
    mode = models.CharField(_("mode"), max_length=20, blank=True, default="")
    reference = models.CharField(_("vendor reference"), max_length=120, blank=True, default="")
    note = models.TextField(_("note"), blank=True, default="")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reverses = models.ForeignKey("self", models.PROTECT, null=True, related_name="reversed_by")
    once = models.CharField(max_length=160, unique=True)  # the same news booked twice is refused

    objects = UsageQuerySet.as_manager()

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("task",), condition=Q(kind="settle"), name="one_settle_per_task"),
        )
        indexes = (
            models.Index(fields=("key", "unit", "at"), name="usage_by_key"),
            models.Index(fields=("person", "unit", "at"), name="usage_by_person"),
            models.Index(fields=("at",), name="usage_by_time"),
            models.Index(fields=("reference", "key"), name="usage_by_reference", condition=~Q(reference="")),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.amount} {self.unit}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError("Ledger rows are never changed; write a reversing row.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Ledger rows are never deleted; write a reversing row.")
