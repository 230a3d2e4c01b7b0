"""What django-allauth asks the house about: where one may be led, from where one comes, how secrets are kept."""

import time
from datetime import UTC, datetime
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import formats, timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext, gettext_lazy, ngettext

from generations import addresses, ciphers
from generations.audit import address_of
from generations.models import User
from generations.sign_in import throttle


def name_of(person: User) -> str:
    return person.display_name


class Accounts(DefaultAccountAdapter):  # type: ignore[misc]
    error_messages = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": gettext_lazy("The user name or the password is wrong."),
        "incorrect_password": gettext_lazy("That is not your password."),
        "enter_current_password": gettext_lazy("That is not your password."),
        "too_many_login_attempts": gettext_lazy("Too many wrong codes. Try again in five minutes."),
        "rate_limited": gettext_lazy("Too many tries. Wait a few minutes, then try again."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str) -> bool:
        """Only a path: nowhere but under the address that this request came to."""
        return url.startswith("/") and url_has_allowed_host_and_scheme(url, None)

    def get_reset_password_from_key_url(self, key: str) -> str:
        return addresses.own(super().get_reset_password_from_key_url(key))

    def get_client_ip(self, request: HttpRequest) -> str:
        return address_of(request) or "127.0.0.1"  # a socket in the file system: somebody on this machine

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Before each look at a password, when signing in and when confirming it."""
        try:
            self._places = throttle.take(credentials.get("username", ""), self.get_client_ip(request))
        except throttle.Locked as locked:
            raise ValidationError(wait_until(locked.free_at), code="too_many_login_attempts") from None

    def _rollback_login_failed_rl_usage(self) -> None:
        """The password was right."""
        throttle.give_back(*self._places)


class SecondSteps(DefaultMFAAdapter):  # type: ignore[misc]
    """Secrets of authenticator apps and recovery codes are encrypted as those of API keys are."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": gettext_lazy("That did not match. Try again."),
    }

    def encrypt(self, text: str) -> str:
        return ciphers.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return ciphers.decrypt(encrypted_text)

    def get_totp_label(self, user: User) -> str:
        return user.get_username()

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        count = Authenticator.objects.filter(user=user, type=type).count()
        return gettext("Passkey %(n)d") % {"n": count + 1} if count else gettext("Passkey")

    def _get_site_name(self) -> str:
        return "VideoForge"


def wait_until(free_at: float) -> str:
    """With the clock of the house: who signs in has none of their own yet."""
    with timezone.override(settings.TIME_ZONE):
        clock = formats.time_format(timezone.localtime(datetime.fromtimestamp(free_at, tz=UTC)), "H:i")
    minutes = max(1, -int(-(free_at - time.time()) // 60))
    told = ngettext("in %(n)d minute", "in %(n)d minutes", minutes) % {"n": minutes}
    text = gettext(
        "Too many wrong passwords for this name from where you are. Try again %(wait)s, at %(clock)s (%(zone)s)."
    )
    return text % {"wait": told, "clock": clock, "zone": settings.TIME_ZONE}
