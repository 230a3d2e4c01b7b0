"""django-allauth's forms where the house wants them otherwise."""

import struct
from typing import Any

from allauth.account.forms import LoginForm
from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn import forms as webauthn
from django.utils.translation import gettext_lazy as _

# What reading a passkey's answer stumbles over when it is something else. Anybody may send one, signed in or not.
NOT_ONE = (AttributeError, IndexError, KeyError, TypeError, ValueError, struct.error)


class SignInForm(LoginForm):  # type: ignore[misc]
    """The field is called what browsers and password managers know it by."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("User name")

    def add_prefix(self, field_name: str) -> str:
        return "username" if field_name == "login" else str(super().add_prefix(field_name))


class _Reads:
    """Takes an answer that is none for a wrong one."""

    def clean_credential(self) -> Any:
        try:
            return super().clean_credential()  # type: ignore[misc]
        except NOT_ONE:
            raise get_adapter().validation_error("incorrect_code") from None


class PasskeySignIn(_Reads, webauthn.LoginWebAuthnForm):  # type: ignore[misc]
    pass


class PasskeyStep(_Reads, webauthn.AuthenticateWebAuthnForm):  # type: ignore[misc]
    pass


class PasskeyConfirm(_Reads, webauthn.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    pass


class PasskeyAdd(webauthn.AddWebAuthnForm):  # type: ignore[misc]
    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()  # type: ignore[no-any-return]
        except NOT_ONE:
            raise get_adapter().validation_error("incorrect_code") from None
