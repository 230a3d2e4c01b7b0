"""What somebody who was invited tells about themselves."""

import re
from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generations.models import Invitation, User

MISLEADING = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class JoinForm(forms.Form):
    username = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=150,
        validators=[User.username_validator],
        help_text=gettext_lazy("Letters, digits and @ . + - _; you sign in with it."),
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
    )
    name = forms.CharField(
        label=gettext_lazy("Your name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    email = forms.EmailField(
        label=gettext_lazy("E-mail"), required=False, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, invitation: Invitation, data: Any = None, *, with_passkey: bool = False) -> None:
        super().__init__(data, initial={"name": invitation.name, "email": invitation.email})
        self.with_passkey = with_passkey

    def clean_name(self) -> str:
        """In one line: it stands in subjects of mails. What turns the order of letters around would mislead."""
        return " ".join(MISLEADING.sub(" ", self.cleaned_data["name"]).split())

    def clean_username(self) -> str:
        name: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=name).exists():
            raise ValidationError(_("Somebody here has this name already."))
        return name

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if email and User.objects.filter(email__iexact=email).exists():
            raise ValidationError(_("Somebody here has this address already. Is it you? Then sign in."))
        return email

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        password = cleaned.get("password")
        if self.with_passkey or "password" in self.errors:
            return cleaned
        try:
            if not password:
                raise ValidationError(_("Choose a password, or join with a passkey."))
            validate_password(password, self.person(cleaned))
        except ValidationError as error:
            self.add_error("password", error)
        return cleaned

    def person(self, told: dict[str, Any] | None = None) -> User:
        """Not saved. A name's first word is the first name; Chinese names have no space and stay whole."""
        told = self.cleaned_data if told is None else told
        first, _space, last = told.get("name", "").partition(" ")
        person = User(username=told.get("username", ""), first_name=first, last_name=last, email=told.get("email", ""))
        if self.with_passkey:
            person.set_unusable_password()
        else:
            person.set_password(told.get("password"))
        return person
