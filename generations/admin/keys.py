"""API keys: entered, tested, put away and back."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from generations import addresses
from generations.admin import asking, settings_fields
from generations.admin.key_form import ENTERED, form_for
from generations.models import KeyState, ProviderKey, TaskState, User
from generations.providers import PROVIDERS


@admin.register(ProviderKey)
class KeyAdmin(admin.ModelAdmin[ProviderKey]):
    change_form_template = "admin/generations/providerkey/change_form.html"
    list_display = (
        "label", "state", "trouble", "provider", "masked", "running", "left", "at_vendor", "last_used_at", "adder",
    )  # fmt: skip
    list_filter = ("provider", "state", "problem")
    list_select_related = ("added_by",)
    show_full_result_count = False
    actions = ("test_keys", "drain_keys", "disable_keys", "activate_keys")
    readonly_fields = (
        "masked", "short_fingerprint", "trouble", "running", "left", "at_vendor", "last_used_at", "last_ok_at",
        "last_error", "failed_at", "adder", "created_at",
    )  # fmt: skip

    def get_form(
        self, request: HttpRequest, obj: ProviderKey | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        kwargs["form"] = form_for(obj)
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: ProviderKey | None = None) -> Any:
        if obj is None:
            later = {"fields": (), "description": _("The vendor's settings appear here once the key is saved.")}
            return [(None, {"fields": ENTERED}), (_("Settings"), later)]
        own = {"fields": self._setting_names(request, obj)}
        title = _("Settings at %(provider)s") % {"provider": obj.get_provider_display()}
        record = {"fields": self.readonly_fields}
        return [(None, {"fields": ENTERED}), *([(title, own)] if own["fields"] else []), (_("Record"), record)]

    def _setting_names(self, request: HttpRequest, key: ProviderKey) -> tuple[str, ...]:
        if key.provider not in PROVIDERS:
            return ()
        if not self.has_change_permission(request, key):
            return ("vendor_settings",)
        return tuple(settings_fields.fields_for(key))

    def get_readonly_fields(self, request: HttpRequest, obj: ProviderKey | None = None) -> tuple[str, ...]:
        # Tasks are followed with the vendor that made them: a key cannot change sides.
        return ("provider", "vendor_settings", *self.readonly_fields) if obj else ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderKey]:
        in_flight = Count("tasks", filter=Q(tasks__state__in=TaskState.in_flight()))
        return super().get_queryset(request).annotate(in_flight=in_flight)

    def has_delete_permission(self, request: HttpRequest, obj: ProviderKey | None = None) -> bool:
        """A key that was ever used belongs to the record; disable it instead."""
        return super().has_delete_permission(request, obj) and not (obj and obj.tasks.exists())

    def save_model(self, request: HttpRequest, obj: ProviderKey, form: Any, change: bool) -> None:
        if not change and isinstance(request.user, User):
            obj.added_by = request.user
        super().save_model(request, obj, form, change)

    @admin.display(description=gettext_lazy("in flight"))
    def running(self, key: ProviderKey) -> str:
        """How many are at the vendor of how many that may be; the second figure can be the account's own."""
        slots = f"{getattr(key, 'in_flight', 0)} / {key.slots}"
        return _("%(slots)s, as the account says") % {"slots": slots} if key.slots != key.max_in_flight else slots

    @admin.display(description=gettext_lazy("balance"), ordering="balance")
    def left(self, key: ProviderKey) -> str:
        told = asking.balance(key)
        return f"{told} ({asking.age(key.balance_at)})" if key.balance_at else told

    @admin.display(description=gettext_lazy("at the vendor"))
    def at_vendor(self, key: ProviderKey) -> str:
        told = asking.load(key)
        return f"{told} ({asking.age(key.balance_at)})" if key.balance_at and told != "–" else told

    @admin.display(description=gettext_lazy("problem"))
    def trouble(self, key: ProviderKey) -> str:
        """Why it takes no new work although nobody paused it, and since when."""
        if not key.problem:
            return "–"
        since = f" ({asking.age(key.problem_at)})" if key.problem_at else ""
        return f"⚠ {key.get_problem_display()}{since}"

    @admin.display(description=gettext_lazy("last error at"), ordering="last_error_at")
    def failed_at(self, key: ProviderKey) -> str:
        return date_format(timezone.localtime(key.last_error_at), "DATETIME_FORMAT") if key.last_error_at else "–"

    @admin.display(description=gettext_lazy("added by"), ordering="added_by")
    def adder(self, key: ProviderKey) -> str:
        return key.added_by.display_name if key.added_by else "–"

    @admin.display(description=gettext_lazy("fingerprint"))
    def short_fingerprint(self, key: ProviderKey) -> str:
        return key.fingerprint[:8]

    @admin.display(description=gettext_lazy("settings"))
    def vendor_settings(self, key: ProviderKey) -> str:
        return format_html_join("", "<div>{}: {}</div>", settings_fields.summary(key)) or "–"

    @admin.action(description=gettext_lazy("Test with a free call"), permissions=["change"])
    def test_keys(self, request: HttpRequest, rows: QuerySet[ProviderKey]) -> None:
        for key in rows:
            asking.ask(request, key)

    @admin.action(description=gettext_lazy("Drain: nothing new, follow what runs"), permissions=["change"])
    def drain_keys(self, request: HttpRequest, rows: QuerySet[ProviderKey]) -> None:
        rows.update(state=KeyState.DRAINING)

    @admin.action(description=gettext_lazy("Disable"), permissions=["change"])
    def disable_keys(self, request: HttpRequest, rows: QuerySet[ProviderKey]) -> None:
        rows.update(state=KeyState.DISABLED)

    @admin.action(description=gettext_lazy("Activate, and forget the last problem"), permissions=["change"])
    def activate_keys(self, request: HttpRequest, rows: QuerySet[ProviderKey]) -> None:
        """A key whose address was taken off the list meanwhile stays where it is."""
        for key in rows:
            problem = addresses.why_not_allowed(key.provider, key.base_url)
            if problem:
                messages.error(request, f"{key.label}: {problem}")
            else:
                fields = {"state": KeyState.ACTIVE, "problem": "", "problem_at": None}
                ProviderKey.objects.filter(pk=key.pk).update(**fields)

    def get_urls(self) -> list[URLPattern]:
        test = path("<int:pk>/test/", self.admin_site.admin_view(require_POST(self.test_view)), name="test-key")
        return [test, *super().get_urls()]

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        key = get_object_or_404(ProviderKey, pk=pk)
        if not self.has_change_permission(request, key):
            return HttpResponse(status=403)
        asking.ask(request, key)
        return HttpResponseRedirect(reverse("admin:generations_providerkey_change", args=[pk]))
