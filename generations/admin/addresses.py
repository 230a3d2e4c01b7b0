"""Further addresses of vendors. A key travels to whatever stands here, so only superusers say what does."""

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generations import guard
from generations.admin.guards import Guarded
from generations.admin.hosts import WHY_NOT
from generations.models import KeyState, ProviderKey, User, VendorAddress
from generations.providers import PROVIDERS


class AddressForm(forms.ModelForm[VendorAddress]):
    base_url = forms.URLField(
        label=gettext_lazy("Base address"),
        assume_scheme="https",
        help_text=gettext_lazy("https://, without a user name: the keys of this vendor may then be sent there."),
        widget=forms.URLInput(attrs={"class": "vURLField"}),
        max_length=200,
    )

    class Meta:
        model = VendorAddress
        fields = ("provider", "base_url", "note")

    def clean_base_url(self) -> str:
        address = str(self.cleaned_data["base_url"]).rstrip("/")
        parts = urlsplit(address)
        if parts.scheme != "https":
            raise forms.ValidationError(_("Use an https:// address: the key travels to it."))
        if "@" in parts.netloc or any(sign in address for sign in "?#") or not parts.hostname:
            raise forms.ValidationError(_("Use an address without a user name, ? or # in it."))
        _check_host(parts.hostname)
        return address

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        provider = str(cleaned.get("provider") or "")
        if provider in PROVIDERS and cleaned.get("base_url") in PROVIDERS[provider].base_urls:
            self.add_error("base_url", _("This address of the vendor is known already."))
        return cleaned


@admin.register(VendorAddress)
class AddressAdmin(Guarded):
    delete_confirmation_template = "admin/generations/vendoraddress/delete_confirmation.html"
    list_display = ("base_url", "provider", "note", "added_by", "created_at")
    list_filter = ("provider",)
    list_select_related = ("added_by",)
    show_full_result_count = False
    actions = None  # one at a time, each with its reason

    def get_form(self, request: HttpRequest, obj: VendorAddress | None = None, *args: Any, **kwargs: Any) -> Any:
        return super().get_form(request, obj, *args, **(kwargs if obj else {**kwargs, "form": AddressForm}))

    def get_readonly_fields(self, request: HttpRequest, obj: VendorAddress | None = None) -> tuple[str, ...]:
        """Keys stand at an address by its text: another address is another row."""
        return ("provider", "base_url", "added_by", "created_at") if obj else ()

    def get_fields(self, request: HttpRequest, obj: VendorAddress | None = None) -> Any:
        return ("provider", "base_url", "note", *(("added_by", "created_at") if obj else ()))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and _may(request)

    def has_change_permission(self, request: HttpRequest, obj: VendorAddress | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may(request)

    def has_delete_permission(self, request: HttpRequest, obj: VendorAddress | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may(request)

    def save_model(self, request: HttpRequest, obj: VendorAddress, form: Any, change: bool) -> None:
        if not change and isinstance(request.user, User):
            obj.added_by = request.user
        super().save_model(request, obj, form, change)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Keys in use hold their address, as a row that refers to it would."""
        to_delete, counts, lacking, protected = super().get_deleted_objects(objs, request)
        return to_delete, counts, lacking, [*protected, *(text for each in objs for text in holders(each))]


def holders(address: VendorAddress) -> list[str]:
    """A sentence for each key that is sent there; a draining one still follows its tasks."""
    there = ProviderKey.objects.filter(provider=address.provider).exclude(state=KeyState.DISABLED)
    sentence = _("The key “%(label)s” is sent to this address: disable it or give it another address first.")
    return [sentence % {"label": key.label} for key in there if key.base_url.rstrip("/") == address.base_url]


def _check_host(host: str) -> None:
    """Raises ValidationError where no request would be let go: said now, not when the first one fails."""
    try:
        guard.entry_of(host)
    except ValueError as error:
        raise forms.ValidationError(WHY_NOT["never"] if str(error) == "never" else _("This is no address.")) from None


def _may(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_admin", False))
