"""Hosts that are not on the public internet and may be fetched from all the same. Only administrators say which."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext_lazy, ngettext

from generations import guard, outgoing
from generations.admin.guards import Guarded, is_admin
from generations.models import AllowedHost, User

WHY_NOT = {
    "none": gettext_lazy("Enter a name, an address or a network, without http:// and without a port."),
    "wide": gettext_lazy("This network is too wide. Name the part in which your hosts are."),
    "never": gettext_lazy("No request may go there: such addresses belong to this machine's link or to everybody."),
}


class HostForm(forms.ModelForm[AllowedHost]):
    class Meta:
        model = AllowedHost
        fields = ("host", "note")

    def clean_host(self) -> str:
        try:
            return guard.entry_of(str(self.cleaned_data["host"]))
        except ValueError as error:
            raise forms.ValidationError(WHY_NOT[str(error)]) from None


@admin.register(AllowedHost)
class HostAdmin(Guarded):
    form = HostForm
    list_display = ("host", "note", "added_by", "created_at")
    list_select_related = ("added_by",)
    show_full_result_count = False
    actions = None  # one at a time

    def get_readonly_fields(self, request: HttpRequest, obj: AllowedHost | None = None) -> tuple[str, ...]:
        """What was allowed stays what it was: another host is another row."""
        return ("host", "added_by", "created_at") if obj else ()

    def get_fields(self, request: HttpRequest, obj: AllowedHost | None = None) -> Any:
        return ("host", "note", *(("added_by", "created_at") if obj else ()))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and is_admin(request)

    def has_change_permission(self, request: HttpRequest, obj: AllowedHost | None = None) -> bool:
        return super().has_change_permission(request, obj) and is_admin(request)

    def has_delete_permission(self, request: HttpRequest, obj: AllowedHost | None = None) -> bool:
        return super().has_delete_permission(request, obj) and is_admin(request)

    def save_model(self, request: HttpRequest, obj: AllowedHost, form: Any, change: bool) -> None:
        if not change and isinstance(request.user, User):
            obj.added_by = request.user
        super().save_model(request, obj, form, change)
        again = 0 if change else outgoing.try_refused_again()
        if again:
            words = ngettext("%(number)d copy is tried again.", "%(number)d copies are tried again.", again)
            messages.info(request, words % {"number": again})
