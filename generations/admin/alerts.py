"""Alerts to read and to close, and who took which figures out of the house."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext

from generations import audit
from generations.admin.guards import Listed, ReadOnly, is_admin
from generations.alert_words import alert_words
from generations.models import Alert, Export


class OpenFilter(admin.SimpleListFilter):
    """Open ones unless asked for others."""

    title = gettext_lazy("state")
    parameter_name = "which"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("closed", gettext_lazy("Closed")), ("all", gettext_lazy("All"))]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        yield {**first, "display": gettext_lazy("Open")}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        if self.value() == "all":
            return queryset
        return queryset.filter(closed_at__isnull=self.value() != "closed")


@admin.register(Alert)
class AlertAdmin(ReadOnly, Listed):
    list_display = ("at", "subject", "kind", "key_label", "closed")
    list_filter = (OpenFilter, "kind", "key")
    list_select_related = ("key", "budget__key", "budget__person", "budget__team", "closed_by")
    actions = ("close",)
    fields = ("at", "kind", "subject", "body", "key_label", "budget", "task", "closed", "delivery_error")
    readonly_fields = fields

    def has_close_permission(self, request: HttpRequest) -> bool:
        return is_admin(request)

    @admin.action(description=gettext_lazy("Close: somebody has seen to it"), permissions=["close"])
    def close(self, request: HttpRequest, rows: QuerySet[Alert]) -> None:
        now, open_ones = timezone.now(), rows.filter(closed_at=None)
        closed = list(open_ones)
        number = open_ones.update(closed_at=now, closed_by=request.user)
        audit.note_update(closed, {"closed_at": ("None", now.isoformat(timespec="seconds"))})
        text = ngettext("%(number)d alert is closed.", "%(number)d alerts are closed.", number)
        messages.success(request, text % {"number": number})

    @admin.display(description=gettext_lazy("what happened"))
    def subject(self, row: Alert) -> str:
        return alert_words(row)[0]

    @admin.display(description=gettext_lazy("more"))
    def body(self, row: Alert) -> str:
        return alert_words(row)[1]

    @admin.display(description=gettext_lazy("API key"), ordering="key", empty_value="–")
    def key_label(self, row: Alert) -> str:
        return row.key.label if row.key else "–"

    @admin.display(description=gettext_lazy("closed by"), ordering="closed_at", empty_value="–")
    def closed(self, row: Alert) -> str:
        return row.closed_by.display_name if row.closed_by else "–"


@admin.register(Export)
class ExportAdmin(ReadOnly, Listed):
    list_display = ("at", "actor_name", "format", "first_day", "last_day", "filters")
    list_filter = ("format",)
    list_select_related = ("actor",)
    fields = ("at", "actor_name", "format", "first_day", "last_day", "filters")
    readonly_fields = fields

    @admin.display(description=gettext_lazy("person"), ordering="actor")
    def actor_name(self, row: Export) -> str:
        return row.actor.display_name
