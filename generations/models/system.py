from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Lease(models.Model):
    """Who does a thing that only one may do at a time, until when. Seized and kept by conditional updates."""

    key = models.CharField(primary_key=True, max_length=60)
    owner = models.CharField(max_length=80, blank=True, default="")
    until = models.DateTimeField(default=timezone.now)
    fence = models.PositiveBigIntegerField(default=0)  # grows with each new holder
    beat_at = models.DateTimeField(null=True)  # last sign of life of any holder

    def __str__(self) -> str:
        return f"{self.key} until {self.until:%H:%M:%S}"


class AllowedHost(models.Model):
    """Where the house may fetch from although it is not on the public internet, see ``guard``."""

    host = models.CharField(
        _("host"),
        max_length=253,
        unique=True,
        help_text=_("A name (media.example.com, *.example.com), an address, or a network (10.20.0.0/16)."),
    )
    note = models.CharField(_("note"), max_length=200, blank=True, default="")
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("added by"),
    )
    created_at = models.DateTimeField(_("added"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("allowed host")
        verbose_name_plural = _("allowed hosts")
        ordering = ("host",)

    def __str__(self) -> str:
        return self.host


class HouseRules(models.Model):
    """What administrators decided for the whole house. There is one row; ``now()`` gives it."""

    anyone_links = models.BooleanField(
        _("links for anyone"),
        default=False,
        help_text=_("People may make share links that open without signing in. Such links always end."),
    )
    anyone_days = models.PositiveSmallIntegerField(
        _("such a link ends after at most"),
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(30)],
        help_text=_("days"),
    )

    class Meta:
        verbose_name = _("rules of the house")
        verbose_name_plural = _("rules of the house")
        constraints = (models.CheckConstraint(condition=models.Q(pk=1), name="one_set_of_house_rules"),)

    def __str__(self) -> str:
        return str(_("rules of the house"))

    @classmethod
    def now(cls) -> "HouseRules":
        """As an administrator saved them last, else as they are from the start."""
        return cls.objects.filter(pk=1).first() or cls(pk=1)
