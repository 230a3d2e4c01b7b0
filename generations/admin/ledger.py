"""The ledger to read: by day, key and kind, without ever counting all of it."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import Max, Min, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy

from generations import totals, words
from generations.admin import booking, days
from generations.admin.guards import Listed, ReadOnly, is_admin
from generations.models import UsageEntry

TEMPLATES = "admin/generations/usageentry"
EXPORTED = {"key": "key__id__exact", "vendor": "provider__exact", "unit": "unit__exact", "kind": "kind__exact"}


@admin.register(UsageEntry)
class UsageEntryAdmin(ReadOnly, Listed):
    change_list_template = f"{TEMPLATES}/change_list.html"
    change_form_template = f"{TEMPLATES}/change_form.html"
    list_display = (
        "when", "key_label", "kind", "amount_told", "who", "task_link", "source", "vendor_reference",
        "short_note",
    )  # fmt: skip
    list_filter = (days.BookDays, "kind", "unit", "provider", "key")
    list_select_related = ("key", "person")
    search_fields = ("reference",)
    search_help_text = gettext_lazy("The vendor's id of a task, or ours, as a whole")
    actions = None
    fields = (
        "moment", "kind", "amount_told", "source", "price_list", "key", "provider", "who", "task_link", "model", "mode",
        "reference", "note", "by", "takes_back", "taken_back_by",
    )  # fmt: skip
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[UsageEntry], search_term: str
    ) -> tuple[QuerySet[UsageEntry], bool]:
        """Whole ids only: a part of one would be sought in every row."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(Q(task=UUID(term))), False
        except ValueError:
            # The second condition is that of the index.
            return queryset.filter(reference=term).exclude(reference=""), False

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Within a day or year the index of times knows the newest; by their numbers all of them would be sorted."""
        return ("-at", "-id") if request.GET.get(days.PARAMETER) else ("-id",)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        listing: Any = super().get_changelist_instance(request)
        listing.days = days.links(listing)
        return listing

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """In the zone of the books, so that days and times fit together."""
        context = {"zone": str(totals.zone()), "may_book": is_admin(request), "export": _export(request)}
        with timezone.override(totals.zone()):
            response = super().changelist_view(request, {**context, **(extra_context or {})})
            if isinstance(response, TemplateResponse):
                response.render()
        return response

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = context["original"]
        if is_admin(request):
            context["may_reverse"] = booking.why_not_reversed(row) == ""
            context["may_correct"] = bool(row.task_id)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.book_view)
        return [path("book/<slug:what>/", view, name="book"), *super().get_urls()]

    def book_view(self, request: HttpRequest, what: str) -> HttpResponse:
        if not is_admin(request):
            raise PermissionDenied
        return booking.page(request, what, self)

    @admin.display(description=gettext_lazy("time"), ordering="at")
    def when(self, row: UsageEntry) -> str:
        return date_format(timezone.localtime(row.at), "Y-m-d H:i")

    @admin.display(description=gettext_lazy("time"))
    def moment(self, row: UsageEntry) -> str:
        zone = totals.zone()
        return f"{row.at.astimezone(zone):%Y-%m-%d %H:%M:%S} ({zone})"

    @admin.display(description=gettext_lazy("API key"), ordering="key")
    def key_label(self, row: UsageEntry) -> str:
        return row.key.label

    @admin.display(description=gettext_lazy("amount"), ordering="amount")
    def amount_told(self, row: UsageEntry) -> str:
        return words.money(row.amount, row.unit)

    @admin.display(description=gettext_lazy("person"), ordering="person", empty_value="–")
    def who(self, row: UsageEntry) -> str:
        return row.person.display_name if row.person else "–"

    @admin.display(description=gettext_lazy("task"), empty_value="–")
    def task_link(self, row: UsageEntry) -> str:
        if not row.task_id:
            return row.model or "–"
        return format_html('<a href="{}">{}</a>', reverse("task-detail", args=[row.task_id]), row.model or row.task_id)

    @admin.display(description=gettext_lazy("vendor reference"), empty_value="–")
    def vendor_reference(self, row: UsageEntry) -> str:
        return row.reference

    @admin.display(description=gettext_lazy("note"), empty_value="–")
    def short_note(self, row: UsageEntry) -> str:
        return Truncator(row.note).chars(60)

    @admin.display(description=gettext_lazy("written by"), empty_value="–")
    def by(self, row: UsageEntry) -> str:
        return row.actor.display_name if row.actor else "–"

    @admin.display(description=gettext_lazy("takes back"), empty_value="–")
    def takes_back(self, row: UsageEntry) -> str:
        return _row_link(row.reverses) if row.reverses else "–"

    @admin.display(description=gettext_lazy("taken back by"), empty_value="–")
    def taken_back_by(self, row: UsageEntry) -> str:
        later = row.reversed_by.first()
        return _row_link(later) if later else "–"


def _row_link(row: UsageEntry) -> str:
    address = reverse("admin:generations_usageentry_change", args=[row.pk])
    return format_html('<a href="{}">{} {}</a>', address, row.get_kind_display(), words.money(row.amount, row.unit))


def _export(request: HttpRequest) -> str:
    """Where the rows of this list are a file; "" for a search, which is nothing that an export can be asked for."""
    if request.GET.get(SEARCH_VAR, "").strip():
        return ""
    asked = {name: request.GET[theirs] for name, theirs in EXPORTED.items() if request.GET.get(theirs)}
    span = days.span_of(request.GET.get(days.PARAMETER, "")) or _all_of_it()
    if span:
        asked |= {"period": "own", "from": f"{span.first}", "to": f"{span.end - timedelta(days=1)}"}
    return reverse("usage-export") + (f"?{urlencode(asked)}" if asked else "")


def _all_of_it() -> days.Span | None:
    """From the first month in which there are rows to the last, read from the sums."""
    ends = totals.of_all_time().aggregate(first=Min("starts_on"), last=Max("starts_on"))
    return days.Span(ends["first"], totals.next_month(ends["last"]), 0) if ends["first"] else None
