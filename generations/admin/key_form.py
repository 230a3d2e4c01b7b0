"""The form of a key: what goes in, and why it is refused. Nothing of a secret is in its answers."""

from typing import Any, cast

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generations import addresses, keys
from generations.admin import settings_fields
from generations.models import ProviderKey
from generations.providers import PROVIDERS

# What is entered of a key, in the order of its page.
ENTERED = (
    "label", "provider", "secret", "base_url", "state", "max_in_flight", "follows_account", "sends_per_second",
    "expires_on", "note",
)  # fmt: skip
# What a vendor told of an account, forgotten when the key comes to stand for another.
FIGURES = ("balance", "balance_at", "concurrency_limit", "vendor_running", "vendor_queued")


class KeyForm(forms.ModelForm[ProviderKey]):
    base_url = forms.URLField(
        label=capfirst(gettext_lazy("base address")),
        required=False,
        assume_scheme="https",
        widget=forms.URLInput(attrs={"class": "vURLField"}),
    )
    secret = forms.CharField(
        label=capfirst(gettext_lazy("secret")),
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("Typed once, stored encrypted, never shown again. Empty keeps the present one."),
    )

    class Meta:
        model = ProviderKey
        fields = ENTERED

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "base_url" in self.fields:
            self.fields["base_url"].help_text = _addresses_help(self.instance.provider)

    def clean_secret(self) -> str:
        secret = str(self.cleaned_data["secret"])
        if not secret and self.instance.pk:
            return ""
        problem = keys.bad_secret(secret)
        if problem:
            raise forms.ValidationError(problem)
        return secret

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        provider = str(cleaned.get("provider") or self.instance.provider)
        if provider not in PROVIDERS:
            return cleaned
        address = str(cleaned.get("base_url") or PROVIDERS[provider].base_urls[0]).rstrip("/")
        cleaned["base_url"] = address
        self._check_address(provider, address, cleaned.get("secret", ""))
        self._check_twin(provider, cleaned.get("secret", ""))
        return cleaned

    def _check_address(self, provider: str, address: str, secret: str) -> None:
        """The secret goes to this address: only whoever knows it may send it somewhere else."""
        problem = addresses.why_not_allowed(provider, address)
        if problem:
            self.add_error("base_url", problem)
        elif self.instance.pk and self._moves(address) and not secret:
            self.add_error("secret", _("The address changes: type the secret again."))

    def _moves(self, address: str) -> bool:
        return address != str(self.initial.get("base_url", "")).rstrip("/")

    def _check_twin(self, provider: str, secret: str) -> None:
        problem = secret and keys.taken(provider, secret, besides=self.instance.pk)
        if problem:
            self.add_error("secret", problem)

    def save(self, commit: bool = True) -> ProviderKey:
        key, cleaned = self.instance, self.cleaned_data
        if key.pk and (cleaned["secret"] or self._moves(cleaned["base_url"])):
            for name in FIGURES:
                setattr(key, name, None)
        if cleaned["secret"]:
            key.set_secret(cleaned["secret"])
            key.vendor_key_id = ""
        if self.changed_data:
            key.problem = ""
        key.set_settings(settings_fields.entered(key, cleaned))
        return super().save(commit)


def form_for(key: ProviderKey | None) -> type[KeyForm]:
    """The form with the settings of this key's vendor; without any for a key that has no vendor yet."""
    if key is None or key.provider not in PROVIDERS:
        return KeyForm
    return cast(type[KeyForm], type("KeyForm", (KeyForm,), dict(settings_fields.fields_for(key))))


def _addresses_help(provider: str) -> str:
    """Where a key may be sent: of its vendor, or of all while none is chosen."""
    if provider in PROVIDERS:
        known = ", ".join(addresses.allowed(provider))
    else:
        known = "; ".join(f"{each.name}: {', '.join(addresses.allowed(slug))}" for slug, each in PROVIDERS.items())
    return _("Empty: the vendor's own. Known: %(addresses)s") % {"addresses": known}
