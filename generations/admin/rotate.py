"""Rotating a key: a page with one field for the new secret, typed once."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generations import keys
from generations.models import ProviderKey, User


class RotateForm(forms.Form):
    secret = forms.CharField(
        label=gettext_lazy("New secret"),
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "class": "vTextField"}),
        help_text=gettext_lazy("Typed once, stored encrypted, never shown again."),
    )
    expires_on = forms.DateField(
        label=capfirst(gettext_lazy("expires on")),
        required=False,
        widget=forms.DateInput(attrs={"type": "date", "class": "vDateField"}),
    )

    def __init__(self, key: ProviderKey, *args: Any) -> None:
        super().__init__(*args)
        self.key = key

    def clean_secret(self) -> str:
        secret = str(self.cleaned_data["secret"])
        problem = keys.why_not_rotated(self.key, secret)
        if problem:
            raise forms.ValidationError(problem)
        return secret


def page(request: HttpRequest, key: ProviderKey, owner: admin.ModelAdmin[Any]) -> HttpResponse:
    form = RotateForm(key, request.POST) if request.method == "POST" else RotateForm(key)
    if form.is_valid():
        done = _rotate(request, key, form)
        if done:
            return HttpResponseRedirect(reverse("admin:generations_providerkey_change", args=[done.pk]))
    context = {
        **owner.admin_site.each_context(request),
        "title": _("Rotate the key “%(label)s”") % {"label": key.label},
        "opts": owner.opts,
        "key": key,
        "form": form,
        "replaced": key.replaced_by.exists(),
    }
    status = 422 if form.is_bound else 200
    return TemplateResponse(request, "admin/generations/providerkey/rotate.html", context, status=status)


def _rotate(request: HttpRequest, key: ProviderKey, form: RotateForm) -> ProviderKey | None:
    actor = request.user if isinstance(request.user, User) else None
    try:
        new = keys.rotate(key, form.cleaned_data["secret"], actor, form.cleaned_data["expires_on"])
    except ValueError as error:  # somebody else was faster
        form.add_error("secret", str(error))
        return None
    key.refresh_from_db()
    told = {"new": new.label, "old": key.label}
    messages.success(
        request, _("“%(new)s” has its new secret. “%(old)s” follows what runs and then disables itself.") % told
    )
    return new
