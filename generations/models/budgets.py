"""What may be spent, what a unit is worth, and what administrators should hear of."""

from decimal import Decimal

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from generations.models.keys import ProviderKey
from generations.models.tasks import UNIT_CHOICES, Batch, Task


class Period(models.TextChoices):
    DAY = "day", _("Day")
    MONTH = "month", _("Month")


class Budget(models.Model):
    """What a key, a person or a team may spend in a day or month of the books, in one unit.

    At ``warn_at`` percent administrators hear of it; at ``block_at`` percent nothing new is taken. What runs goes on.
    """

    key = models.ForeignKey(
        ProviderKey, models.CASCADE, null=True, blank=True, related_name="budgets", verbose_name=_("API key")
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="budgets",
        verbose_name=_("person"),
    )
    team = models.ForeignKey(
        Group, models.CASCADE, null=True, blank=True, related_name="budgets", verbose_name=_("team")
    )
    period = models.CharField(_("period"), max_length=5, choices=Period.choices, default=Period.MONTH)
    limit = models.DecimalField(_("limit"), max_digits=14, decimal_places=4, validators=[MinValueValidator(Decimal(0))])
    unit = models.CharField(_("unit"), max_length=6, choices=UNIT_CHOICES)
    warn_at = models.PositiveSmallIntegerField(
        _("warn at"), default=80, validators=[MinValueValidator(1), MaxValueValidator(100)], help_text=_("percent")
    )
    block_at = models.PositiveSmallIntegerField(
        _("block at"),
        default=100,
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=_("Percent. Empty: warn only."),
    )
    active = models.BooleanField(_("active"), default=True)
    note = models.CharField(_("note"), max_length=200, blank=True, default="")

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")
        ordering = ("pk",)
        constraints = (
            models.CheckConstraint(
                condition=(
                    Q(key__isnull=False, person__isnull=True, team__isnull=True)
                    | Q(key__isnull=True, person__isnull=False, team__isnull=True)
                    | Q(key__isnull=True, person__isnull=True, team__isnull=False)
                ),
                name="budget_has_one_scope",
                violation_error_message=_("Choose exactly one: a key, a person or a team."),
            ),
            models.CheckConstraint(condition=Q(limit__gte=0), name="budget_limit_not_negative"),
        )

    def __str__(self) -> str:
        scope = self.key.label if self.key else self.person or self.team
        return f"{scope}: {Decimal(self.limit).normalize():f} {self.get_unit_display()}, {self.get_period_display()}"


class BudgetOverride(models.Model):
    """One press that was let through although a budget was used up, with the reason."""

    budget = models.ForeignKey(Budget, models.CASCADE, related_name="overrides", verbose_name=_("budget"))
    batch = models.ForeignKey(Batch, models.PROTECT, related_name="overrides")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("person"))
    reason = models.CharField(_("reason"), max_length=200)
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=4, null=True)  # estimate; None: unknown
    at = models.DateTimeField(_("time"), default=timezone.now)

    class Meta:
        verbose_name = _("budget override")
        verbose_name_plural = _("budget overrides")
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.budget}"


class Rate(models.Model):
    """What one unit is worth in money from a day on; for one key, or for all that have none of their own."""

    key = models.ForeignKey(
        ProviderKey, models.CASCADE, null=True, blank=True, related_name="rates", verbose_name=_("API key")
    )
    unit = models.CharField(_("unit"), max_length=6, choices=UNIT_CHOICES)
    currency = models.CharField(_("currency"), max_length=3, choices=[(code, code) for code in ("CNY", "USD", "EUR")])
    per_unit = models.DecimalField(
        _("for one unit"), max_digits=14, decimal_places=8, validators=[MinValueValidator(Decimal("0.00000001"))]
    )
    valid_from = models.DateField(_("valid from"))
    note = models.CharField(_("note"), max_length=200, blank=True, default="")

    class Meta:
        verbose_name = _("rate")
        verbose_name_plural = _("rates")
        ordering = ("-valid_from", "-pk")
        constraints = (
            models.UniqueConstraint(fields=("key", "unit", "currency", "valid_from"), name="one_rate_per_day"),
            models.UniqueConstraint(
                fields=("unit", "currency", "valid_from"), condition=Q(key=None), name="one_general_rate_per_day"
            ),
        )

    def __str__(self) -> str:
        worth = Decimal(self.per_unit).normalize()
        return f"{self.valid_from}: 1 {self.get_unit_display()} = {worth:f} {self.currency}"


class AlertKind(models.TextChoices):
    BUDGET_WARN = "budget-warn", _("Budget nearly used up")
    BUDGET_BLOCK = "budget-block", _("Budget used up")
    KEY_FAILING = "key-failing", _("Key failing")
    KEY_EXPIRES = "key-expires", _("Key expires soon")
    EXTERNAL_USE = "external-use", _("Used from elsewhere")
    UNEXPLAINED = "unexplained", _("Credits unexplained")
    AT_RISK = "at-risk", _("Copy at risk")
    UNCONFIRMED = "unconfirmed", _("Charges not confirmed")
    WORKER_SILENT = "worker-silent", _("Worker silent")
    RUNNING_OUT = "running-out", _("Balance running out")
    TOTALS_REPAIRED = "totals-repaired", _("Sums repaired")
    OPEN_LINKS = "open-links", _("Links for anyone")
    NOT_COMPARED = "not-compared", _("Not compared with the vendor")


class Alert(models.Model):
    """Something an administrator should hear of, once. ``facts`` fill the sentence, which ``words`` has."""

    kind = models.CharField(_("kind"), max_length=16, choices=AlertKind.choices)
    once = models.CharField(max_length=120, unique=True)  # what it is about, and in which period: it speaks once
    key = models.ForeignKey(ProviderKey, models.CASCADE, null=True, related_name="alerts", verbose_name=_("API key"))
    budget = models.ForeignKey(Budget, models.SET_NULL, null=True, related_name="alerts")
    task = models.ForeignKey(Task, models.CASCADE, null=True, related_name="alerts")
    facts = models.JSONField(default=dict)  # plain values: text and numbers as text
    at = models.DateTimeField(_("time"), default=timezone.now)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, default=timezone.now)  # delivery; None: done, or given up
    told = models.JSONField(default=list)  # the channels that took it, by a digest of their address
    delivery_error = models.TextField(blank=True, default="")
    closed_at = models.DateTimeField(_("closed"), null=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ("-pk",)
        indexes = (models.Index(fields=("next_try_at",), name="alert_due", condition=Q(next_try_at__isnull=False)),)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.kind}"


class Export(models.Model):
    """Who took which figures out of the house."""

    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("person"))
    at = models.DateTimeField(_("time"), default=timezone.now)
    format = models.CharField(_("format"), max_length=4, choices=[("csv", "CSV"), ("xlsx", "XLSX")])
    filters = models.JSONField(_("filters"), default=dict)
    first_day = models.DateField(_("first day"))
    last_day = models.DateField(_("last day"))

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.format}"
