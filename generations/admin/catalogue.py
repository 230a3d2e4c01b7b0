"""Corrections of the shipped catalogue, and the page that shows what all of it comes to."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from generations.admin import entry_form, overview
from generations.admin.guards import Guarded
from generations.models import CatalogueEntry, User
from generations.providers import PROVIDERS

TEMPLATES = "admin/generations/catalogueentry"


@admin.register(CatalogueEntry)
class EntryAdmin(Guarded):
    form = entry_form.EntryForm
    change_list_template = f"{TEMPLATES}/change_list.html"
    list_display = ("model", "provider", "mode", "action", "like", "wire_model", "added_by", "created_at")
    list_filter = ("provider", "mode", "action")
    list_select_related = ("added_by",)
    search_fields = ("model", "like", "wire_model")
    show_full_result_count = False
    readonly_fields = ("outcome", "added_by", "created_at")

    def get_fieldsets(self, request: HttpRequest, obj: CatalogueEntry | None = None) -> Any:
        what, differs = ("provider", "mode", "action", "model"), entry_form.FIELDS[4:]
        help_text = _("Only for added models: what is empty is as with the model that it is like.")
        record = [(_("Result"), {"fields": self.readonly_fields})] if obj else []
        return [
            (None, {"fields": what}),
            (_("What differs"), {"fields": differs, "description": help_text}),
            *record,
        ]

    def save_model(self, request: HttpRequest, obj: CatalogueEntry, form: Any, change: bool) -> None:
        if not change and isinstance(request.user, User):
            obj.added_by = request.user
        super().save_model(request, obj, form, change)

    @admin.display(description=gettext_lazy("in the catalogue"))
    def outcome(self, entry: CatalogueEntry) -> str:
        line = entry_form.result(entry)
        facts = overview.facts(line.offer) if line else []
        source = overview.source_words(line) if line else ""
        return render_to_string(f"{TEMPLATES}/outcome.html", {"line": line, "facts": facts, "source": source})

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(self.overview))
        return [path("overview/", view, name="catalogue-overview"), *super().get_urls()]

    def overview(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        wanted = request.GET.get("vendor", "")
        wanted = wanted if wanted in PROVIDERS else ""
        context = {
            **self.admin_site.each_context(request),
            "title": _("Catalogue"),
            "opts": self.opts,
            "vendor": wanted,
            "vendors": [(slug, provider.name) for slug, provider in PROVIDERS.items()],
            "headings": overview.headings(),
            "rows": overview.rows([wanted] if wanted else list(PROVIDERS)),
        }
        return TemplateResponse(request, f"{TEMPLATES}/overview.html", context)
