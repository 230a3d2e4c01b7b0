"""What tables of the admin have in common: rows that only the engine writes, rows that stay, lists without a count."""

import re
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.paginator import Paginator
from django.db.models import PROTECT, Model
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

MOST_LISTED = 2000
# What no page shows, by the names of its columns (the options of a key hold ciphers, too). A filter by how it begins
# would tell it all the same, letter by letter.
HIDDEN = re.compile(r"password|secret|cipher|fingerprint|hash$|digest|^session|^(token|nonce|told|options)$")


def is_admin(request: HttpRequest) -> bool:
    """Whether this person may change things; auditors only look."""
    return bool(getattr(request.user, "is_admin", False))


class ReadOnly:
    """For tables whose rows only the engine writes."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def in_use(row: Model) -> bool:
    """Whether another row refers to this one and would be without it. Asked table by table, never listed."""
    protecting = (relation for relation in row._meta.related_objects if relation.on_delete is PROTECT)
    return any(each.related_model._base_manager.filter(**{each.field.name: row.pk}).exists() for each in protecting)


def is_hidden(path: str) -> bool:
    """Whether this lookup passes through something hidden, of its own table or of another one."""
    return any(HIDDEN.search(part) for part in path.split(LOOKUP_SEP))


class Guarded(admin.ModelAdmin[Any]):
    """What every table of the admin is: addresses filter by anything that a table has, except by what is hidden."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        allowed = super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]  # None goes, says Django
        return allowed and not is_hidden(lookup)


class Kept(Guarded):
    """What others refer to belongs to the record: it is not deleted, and the refusal says what to do instead."""

    def why_kept(self, row: Any) -> str:
        """A sentence, "" for a row that may go."""
        return _("“%(row)s” belongs to the record and stays.") % {"row": row} if in_use(row) else ""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and self.why_kept(obj))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """One at a time: deleting many would list all that refers to them, and that may be a million rows."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        why = self.why_kept(row) if row is not None and is_admin(request) else ""
        if row is None or not why:
            return super().delete_view(request, object_id, extra_context)
        messages.error(request, why)
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=[row.pk]))


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than it lists: the last page of a million rows helps nobody."""

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: MOST_LISTED + 1].count())

    @cached_property
    def count(self) -> int:
        return min(self._counted, MOST_LISTED)

    @property
    def is_capped(self) -> bool:
        return self._counted > MOST_LISTED


class Listed(Guarded):
    """A list of a table that grows for ever."""

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    ordering = ("-id",)
    change_list_template = "admin/listed.html"
