"""Who changed what, when and from where: django-auditlog's rows, to read."""

from typing import Any

from auditlog import admin as library_admin  # noqa: F401  (registers its own, which is replaced here)
from auditlog.models import LogEntry
from auditlog.registry import auditlog
from auditlog.render import get_field_verbose_name
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy

from generations.admin.guards import Listed, ReadOnly

admin.site.unregister(LogEntry)


class TableFilter(admin.SimpleListFilter):
    """Of the tables that are watched; asking the rows which there are would read all of them."""

    title = gettext_lazy("table")
    parameter_name = "table"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        types = ContentType.objects.get_for_models(*auditlog.get_models())
        named = [(str(kind.pk), capfirst(model._meta.verbose_name_plural)) for model, kind in types.items()]
        return sorted(named, key=lambda each: str(each[1]))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value() or ""
        return queryset.filter(content_type=int(chosen)) if chosen.isdecimal() else queryset


@admin.register(LogEntry)
class ChangeAdmin(ReadOnly, Listed):
    list_display = ("timestamp", "who", "action", "table", "object_repr", "what")
    list_filter = ("action", TableFilter, "actor")
    list_select_related = ("content_type", "actor")
    search_fields = ("object_repr",)
    actions = None
    fields = ("timestamp", "who", "remote_addr", "action", "table", "object_repr", "changed")
    readonly_fields = fields

    @admin.display(description=gettext_lazy("person"), ordering="actor")
    def who(self, row: Any) -> str:
        if row.actor:
            return str(row.actor.display_name)
        return str(gettext_lazy("not signed in") if row.remote_addr else gettext_lazy("on the machine itself"))

    @admin.display(description=gettext_lazy("table"), ordering="content_type")
    def table(self, row: Any) -> str:
        model = row.content_type.model_class()
        return str(capfirst(model._meta.verbose_name if model else row.content_type.model))

    @admin.display(description=gettext_lazy("changes"), empty_value="–")
    def what(self, row: Any) -> str:
        """Of what is new or gone that is all that it has; its page tells it."""
        if row.action in (LogEntry.Action.CREATE, LogEntry.Action.DELETE):
            return ""
        return ", ".join(str(get_field_verbose_name(row, name)) for name in row.changes_dict)

    @admin.display(description=gettext_lazy("changes"), empty_value="–")
    def changed(self, row: Any) -> str:
        lines = []
        for name, change in row.changes_dict.items():
            moved = (
                change if isinstance(change, list) else ["", f"{change['operation']}: {', '.join(change['objects'])}"]
            )
            lines.append((get_field_verbose_name(row, name), *moved))
        return render_to_string("admin/auditlog/changes.html", {"lines": lines}) if lines else ""
