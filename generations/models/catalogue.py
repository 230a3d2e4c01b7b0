"""What administrators know better than the catalogue that ships with the app: rows, prices, vendors' addresses."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from generations.models.keys import provider_choices
from generations.models.tasks import MODE_CHOICES, UNIT_CHOICES

SWITCH_CHOICES = [
    ("no", _("no")),
    ("optional", _("optional")),
    ("default_on", _("on unless refused")),
    ("always", _("always")),
    ("unsaid", _("the vendor decides")),
]
CURRENCY_CHOICES = [("usd", "USD"), ("cny", "CNY")]


def _by() -> "models.ForeignKey[Any, Any]":
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )


class VendorAddress(models.Model):
    """A base address beside the vendor's own ones to which keys may be sent."""

    provider = models.SlugField(_("provider"), max_length=20, choices=provider_choices)
    base_url = models.URLField(_("base address"), max_length=200)
    note = models.CharField(_("note"), max_length=200, blank=True, default="")
    added_by = _by()
    created_at = models.DateTimeField(_("added"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("vendor address")
        verbose_name_plural = _("vendor addresses")
        ordering = ("provider", "base_url")
        constraints = (models.UniqueConstraint(fields=("provider", "base_url"), name="one_row_per_vendor_address"),)

    def __str__(self) -> str:
        return self.base_url


class EntryAction(models.TextChoices):
    HIDE = "hide", _("Hide")
    ADD = "add", _("Add")


class CatalogueEntry(models.Model):
    """A correction of the shipped catalogue: a model hidden in a mode, or one more offered.

    An added one is like another model of the same vendor and mode, but for the fields that are filled in here.
    Texts with several values are separated by spaces; ``durations`` takes spans: "4 8" or "1-16".
    """

    provider = models.SlugField(_("provider"), max_length=20, choices=provider_choices)
    mode = models.CharField(_("mode"), max_length=20, choices=MODE_CHOICES)
    model = models.CharField(
        _("model"), max_length=60, help_text=_("The catalogue's name; the same name at another vendor is compared.")
    )
    action = models.CharField(_("action"), max_length=4, choices=EntryAction.choices, default=EntryAction.ADD)
    like = models.CharField(
        _("like"), max_length=60, blank=True, default="", help_text=_("A model of this vendor and mode to start from.")
    )
    label = models.CharField(_("label"), max_length=60, blank=True, default="")
    wire_model = models.CharField(
        _("vendor's id"),
        max_length=80,  # as long as the column of a task
        blank=True,
        default="",
        help_text=_("Exactly as sent. {resolution}, {duration} and {off_peak} stand for what the id itself tells."),
    )
    resolutions = models.CharField(_("resolutions"), max_length=80, blank=True, default="")
    durations = models.CharField(
        _("durations"),
        max_length=80,
        blank=True,
        default="",
        help_text=_("seconds"),
        validators=[RegexValidator(r"^\d{1,3}(-\d{1,3})?( \d{1,3}(-\d{1,3})?)*$", _("Write “4 8” or “1-16”."))],
    )
    aspect_ratios = models.CharField(
        _("aspect ratios"),
        max_length=80,
        blank=True,
        default="",
        validators=[RegexValidator(r"^\d{1,2}:\d{1,2}( \d{1,2}:\d{1,2})*$", _("Write “16:9 1:1”."))],
    )
    max_images = models.PositiveSmallIntegerField(_("pictures at most"), null=True, blank=True)
    prompt_max = models.PositiveIntegerField(_("characters of a prompt at most"), null=True, blank=True)
    audio = models.CharField(_("sound"), max_length=10, choices=SWITCH_CHOICES, blank=True, default="")
    bgm = models.CharField(_("background music"), max_length=10, choices=SWITCH_CHOICES, blank=True, default="")
    off_peak = models.BooleanField(_("off-peak"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True, default="")
    added_by = _by()
    created_at = models.DateTimeField(_("added"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("catalogue entry")
        verbose_name_plural = _("catalogue entries")
        ordering = ("provider", "mode", "model")
        constraints = (
            models.UniqueConstraint(
                fields=("provider", "mode", "model", "action"), name="one_entry_per_model_and_mode"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.model} ({self.provider}, {self.mode})"


class PriceList(models.Model):
    """One version of a vendor's prices. A list that estimates refer to is not changed but followed by a newer one."""

    provider = models.SlugField(_("provider"), max_length=20, choices=provider_choices)
    name = models.SlugField(
        _("name"), max_length=40, unique=True, help_text=_("Kept with every estimate, for example xingchao-2026-11.")
    )
    unit = models.CharField(_("unit"), max_length=6, choices=UNIT_CHOICES)
    worth = models.DecimalField(
        _("one unit is worth"),
        max_digits=14,
        decimal_places=8,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("For an “about” in money beside estimates. Empty: none."),
    )
    currency = models.CharField(_("currency"), max_length=3, choices=CURRENCY_CHOICES, blank=True, default="")
    valid_from = models.DateField(_("valid from"), default=timezone.localdate)
    note = models.CharField(
        _("note"), max_length=200, blank=True, default="", help_text=_("Where the prices are from.")
    )
    added_by = _by()
    created_at = models.DateTimeField(_("added"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("price list")
        verbose_name_plural = _("price lists")
        ordering = ("provider", "-valid_from", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(worth__isnull=True, currency="") | (Q(worth__isnull=False) & ~Q(currency="")),
                name="worth_has_a_currency",
            ),
        )

    def __str__(self) -> str:
        return self.name


def _amount(label: Any) -> "models.DecimalField[Decimal | None, Decimal | None]":
    return models.DecimalField(
        label, max_digits=14, decimal_places=6, null=True, blank=True, validators=[MinValueValidator(0)]
    )


class PriceRow(models.Model):
    """What a model costs in a list. The narrowest row decides: a named mode before all, then a named resolution."""

    price_list = models.ForeignKey(PriceList, models.CASCADE, related_name="rows")
    model = models.CharField(_("model"), max_length=60, help_text=_("The catalogue's name."))
    mode = models.CharField(_("mode"), max_length=20, choices=MODE_CHOICES, blank=True, default="")
    resolution = models.CharField(_("resolution"), max_length=10, blank=True, default="")
    per_second = _amount(_("a second"))
    per_clip = _amount(_("a clip"))
    off_peak_per_second = _amount(_("off-peak, a second"))
    off_peak_per_clip = _amount(_("off-peak, a clip"))

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        ordering = ("model", "mode", "resolution")
        constraints = (
            models.UniqueConstraint(fields=("price_list", "model", "mode", "resolution"), name="one_price_per_row"),
        )

    def __str__(self) -> str:
        return f"{self.model} {self.mode} {self.resolution}"
