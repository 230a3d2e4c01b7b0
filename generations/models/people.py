import re
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
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

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.is_superuser:
            self.role = Role.ADMIN
        self.is_staff = self.role != Role.MEMBER
        super().save(*args, **kwargs)

    @property
    def is_admin(self) -> bool:
        """May change what belongs to others and to the house; ``is_staff`` alone may only look."""
        return self.is_active and self.role == Role.ADMIN

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
