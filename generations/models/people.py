import re
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser, Group
from django.db import models
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

_HAN = re.compile(r"[\u3400-\u9fff]+")


class Theme(models.TextChoices):
    AUTO = "auto", _("As the system")
    DARK = "dark", _("Dark")
    LIGHT = "light", _("Light")


def house_time_zone() -> str:
    """A callable, so that another setting is no migration."""
    return str(settings.TIME_ZONE)


class Role(models.TextChoices):
    MEMBER = "member", _("Member")
    AUDITOR = "auditor", _("Auditor")  # sees everything, changes nothing
    ADMIN = "admin", _("Administrator")


class User(AbstractUser):
    """A person of the house. ``is_staff``, the door to the admin and to everybody's work, follows from the role."""

    role = models.CharField(_("role"), max_length=7, choices=Role.choices, default=Role.MEMBER)
    theme = models.CharField(_("theme"), max_length=5, choices=Theme.choices, default=Theme.AUTO)
    language = models.CharField(
        _("language"), max_length=10, blank=True, default="", help_text=_("Empty: as the browser asks.")
    )
    time_zone = models.CharField(_("time zone"), max_length=64, default=house_time_zone)

    # Set when somebody leaves: whose all that is now which they left behind.
    left_at = models.DateTimeField(_("left"), null=True, editable=False)
    successor = models.ForeignKey(
        "self", models.SET_NULL, null=True, editable=False, related_name="predecessors", verbose_name=_("successor")
    )

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.is_superuser:
            self.role = Role.ADMIN
        self.is_staff = self.role != Role.MEMBER
        super().save(*args, **kwargs)

    @property
    def is_admin(self) -> bool:
        """May change what belongs to others and to the house; ``is_staff`` alone may only look."""
        return self.is_active and self.role == Role.ADMIN

    @cached_property
    def team_ids(self) -> frozenset[int]:
        """Of the teams they belong to; asked once for each request."""
        return frozenset(self.groups.values_list("pk", flat=True))

    @property
    def display_name(self) -> str:
        """Chinese names start with the family name and have no space."""
        if _HAN.fullmatch(self.last_name + self.first_name):
            return self.last_name + self.first_name
        return self.get_full_name() or self.get_username()

    @property
    def initials(self) -> str:
        words = self.display_name.split()
        return "".join(word[0] for word in words[:2]).upper()


class Invitation(models.Model):
    """The only way in for somebody new. Opened once, by whoever has the address; only its token's hash is kept."""

    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    token_end = models.CharField(max_length=4, editable=False)
    email = models.EmailField(_("e-mail"), blank=True, default="")
    name = models.CharField(_("name"), max_length=150, blank=True, default="", help_text=_("For whom this is."))
    role = models.CharField(_("role"), max_length=7, choices=Role.choices, default=Role.MEMBER)
    teams = models.ManyToManyField(Group, blank=True, related_name="+", verbose_name=_("teams"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", editable=False, verbose_name=_("invited by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"))
    accepted_at = models.DateTimeField(_("accepted"), null=True, editable=False)
    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="invitation"
    )
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ("-pk",)

    def __str__(self) -> str:
        return self.name or self.email or f"…{self.token_end}"
