from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from generations import ciphers
from generations.providers import PROVIDERS
from generations.providers.base import Account, CallKind, Failure, FailureClass, Provider, Refused


def provider_choices() -> list[tuple[str, str]]:
    return [(slug, provider.name) for slug, provider in PROVIDERS.items()]


class KeyState(models.TextChoices):
    ACTIVE = "active", _("Active")
    DRAINING = "draining", _("Draining")  # nothing new is sent, what runs is followed to its end
    DISABLED = "disabled", _("Disabled")


class KeyProblem(models.TextChoices):
    """Why a key is kept from new work although its owner has not paused it."""

    NONE = "", _("None")
    AUTH = "auth", _("The vendor does not accept this key")
    CREDITS = "credits", _("No credits left")


class ProviderKey(models.Model):
    """One credential at a provider. Its secret exists in clear only inside ``account()``."""

    label = models.CharField(_("label"), max_length=60, unique=True)
    provider = models.SlugField(_("provider"), max_length=20, choices=provider_choices)
    base_url = models.URLField(_("base address"), max_length=200)
    secret_cipher = models.TextField(editable=False)
    fingerprint = models.CharField(_("fingerprint"), max_length=64, editable=False, db_index=True)
    masked = models.CharField(_("secret"), max_length=20, editable=False)
    state = models.CharField(_("state"), max_length=10, choices=KeyState.choices, default=KeyState.ACTIVE)
    max_in_flight = models.PositiveSmallIntegerField(
        _("tasks at once"), default=5, help_text=_("More than this wait with us, where cancelling is free.")
    )
    follows_account = models.BooleanField(
        _("follow the account"),
        default=True,
        help_text=_("Where the vendor tells how many tasks the account may run at once, that number counts."),
    )
    sends_per_second = models.DecimalField(
        _("creates a second"),
        max_digits=5,
        decimal_places=2,
        default=2,
        validators=[MinValueValidator(Decimal("0.01")), MaxValueValidator(50)],
        help_text=_("New tasks are sent no faster than this."),
    )
    options = models.JSONField(_("options"), default=dict, blank=True)
    note = models.TextField(_("note"), blank=True, default="")
    expires_on = models.DateField(_("expires on"), null=True, blank=True)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    replaces = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, editable=False, related_name="replaced_by"
    )
    created_at = models.DateTimeField(_("added"), default=timezone.now, editable=False)
    vendor_key_id = models.CharField(  # the vendor's own name for this key, learnt from its lists
        _("the vendor's id of the key"), max_length=64, blank=True, default="", editable=False
    )

    problem = models.CharField(
        _("problem"), max_length=10, choices=KeyProblem.choices, blank=True, default="", editable=False
    )
    problem_at = models.DateTimeField(null=True, editable=False)
    next_send_at = models.DateTimeField(null=True, editable=False)  # the pace of ``sends_per_second``, see dispatch
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    last_ok_at = models.DateTimeField(_("last good answer"), null=True, editable=False)
    last_error = models.TextField(_("last error"), blank=True, default="", editable=False)
    last_error_at = models.DateTimeField(null=True, editable=False)
    balance = models.DecimalField(_("balance"), max_digits=14, decimal_places=4, null=True, editable=False)
    balance_at = models.DateTimeField(null=True, editable=False)
    # The part of it that ends first, and when: packages of credits are bought for a time.
    balance_ending = models.DecimalField(max_digits=14, decimal_places=4, null=True, editable=False)
    balance_ends_at = models.DateTimeField(null=True, editable=False)
    concurrency_limit = models.PositiveIntegerField(_("tasks at once, says the vendor"), null=True, editable=False)
    vendor_running = models.PositiveIntegerField(_("running at the vendor"), null=True, editable=False)
    vendor_queued = models.PositiveIntegerField(_("queued at the vendor"), null=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ("provider", "label")
        constraints = (models.CheckConstraint(condition=models.Q(max_in_flight__gte=1), name="key_sends_at_least_one"),)

    def __str__(self) -> str:
        return f"{self.label} ({self.masked})"

    @property
    def translator(self) -> Provider:
        return PROVIDERS[self.provider]

    def set_secret(self, secret: str) -> None:
        """Take a new secret: only its cipher text, its mask and its fingerprint are kept."""
        self.secret_cipher = ciphers.encrypt(secret)
        self.fingerprint = ciphers.fingerprint(secret)
        self.masked = ciphers.mask(secret)

    @classmethod
    def with_secret(cls, provider: str, secret: str) -> "models.QuerySet[ProviderKey]":
        """The keys of this vendor that have this secret."""
        return cls.objects.filter(provider=provider, fingerprint=ciphers.fingerprint(secret))

    def account(self, base_url: str = "") -> Account:
        """The credential in the clear, for one call. ``base_url`` is the one frozen with the attempt, if any.

        Raises Refused when none of the present encryption keys can read the secret.
        """
        try:
            secret, options = ciphers.decrypt(self.secret_cipher), self._plain_options()
        except InvalidToken:
            text = "The key's secret cannot be decrypted with the present VIDEOFORGE_ENCRYPTION_KEYS."
            raise Refused(Failure(FailureClass.ACCOUNT_AUTH, "secret_unreadable", text)) from None
        return Account(base_url or self.base_url, secret, options)

    @property
    def set_options(self) -> dict[str, Any]:
        """The vendor's settings that this key sets; nothing where the column holds something else."""
        return dict(self.options) if isinstance(self.options, dict) else {}

    def set_settings(self, values: Mapping[str, Any]) -> None:
        """Keep those of the vendor's settings that differ from ours; what ``values`` does not name stays as it is."""
        options = self.set_options
        for setting in self.translator.settings:
            if setting.name not in values:
                continue
            value = values[setting.name]
            options.pop(setting.name, None)
            if value != setting.default:
                options[setting.name] = ciphers.encrypt(value) if setting.secret else value
        self.options = options

    def _plain_options(self) -> dict[str, Any]:
        """The options with those settings readable that are secrets of their own."""
        options = self.set_options
        for setting in self.translator.settings:
            if setting.secret and options.get(setting.name):
                options[setting.name] = ciphers.decrypt(options[setting.name])
        return options

    @property
    def slots(self) -> int:
        """How many tasks may be at the vendor at once."""
        reported = self.concurrency_limit if self.follows_account else None
        return reported or self.max_in_flight

    @property
    def takes_new_work(self) -> bool:
        return self.state == KeyState.ACTIVE and not self.problem

    @property
    def expires_soon(self) -> bool:
        return self.expires_on is not None and self.expires_on <= timezone.localdate() + timedelta(days=14)


class RequestCount(models.Model):
    """How many requests each key has cost so far, by kind of call."""

    key = models.ForeignKey(ProviderKey, models.CASCADE, related_name="request_counts")
    kind = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in CallKind])
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("key", "kind"), name="one_count_per_key_and_kind"),)

    def __str__(self) -> str:
        return f"{self.key_id} {self.kind}: {self.count}"
