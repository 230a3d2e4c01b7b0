import re

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _

_HAN = re.compile(r"[\u3400-\u9fff]+")


class Theme(models.TextChoices):
    AUTO = "auto", _("As the system")
    DARK = "dark", _("Dark")
    LIGHT = "light", _("Light")


class User(AbstractUser):
    """A person of the house. Staff may see every task and mend keys in the admin."""

    theme = models.CharField(_("theme"), max_length=5, choices=Theme.choices, default=Theme.AUTO)
    language = models.CharField(
        _("language"), max_length=10, blank=True, default="", help_text=_("Empty: as the browser asks.")
    )
    time_zone = models.CharField(_("time zone"), max_length=64, default=settings.TIME_ZONE)

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
