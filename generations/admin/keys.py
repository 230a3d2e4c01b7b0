"""API keys: entered, tested, put away and back; what they spent stands beside them."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from generations import addresses
from generations.admin import asking, key_figures, key_page, rotate, settings_fields
from generations.admin.guards import Kept
from generations.admin.key_form import ENTERED, form_for
from generations.models import KeyState, ProviderKey, User
from generations.providers import PROVIDERS

CHANGE = "admin:generations_providerkey_change"
ERROR_AT_MOST = 80  # characters of it in the list


class WantsFilter(admin.SimpleListFilter):
    """What somebody should look at."""

    title = gettext_lazy("attention")
    parameter_name = "wants"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("failing", gettext_lazy("fails")),
            ("expiring", gettext_lazy("expires soon")),
            ("twin", gettext_lazy("has the secret of another key")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "failing":
            return queryset.exclude(problem="").exclude(state=KeyState.DISABLED)
        if self.value() == "expiring":
            soon = timezone.localdate() + timedelta(days=14)
            return queryset.filter(expires_on__lte=soon).exclude(state=KeyState.DISABLED)
        return queryset.exclude(twin=None) if self.value() == "twin" else queryset


@admin.register(ProviderKey)
class KeyAdmin(Kept):
    change_form_template = "admin/generations/providerkey/change_form.html"
    list_display = ("name", "spent", "left", "state", "went_wrong", "running", "used", "adder", "expires")
    list_filter = ("provider", "state", "problem", WantsFilter)
    list_select_related = ("added_by",)
    search_fields = ("label", "note")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ("test_keys", "rotate_key", "drain_keys", "disable_keys", "activate_keys")
    readonly_fields = (
        "masked", "short_fingerprint", "vendor_name_of_it", "trouble", "spent", "running", "left", "at_vendor",
        "last_used_at", "last_ok_at", "last_error", "failed_at", "adder", "created_at", "line",
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
        may_change = self.has_change_permission(request, obj)
        # Who only looks gets no empty line where a secret would be entered.
        entered = {"fields": tuple(name for name in ENTERED if may_change or name != "secret")}
        return [(None, entered), *([(title, own)] if own["fields"] else []), (_("Record"), record)]

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
        same = ProviderKey.objects.filter(provider=OuterRef("provider"), fingerprint=OuterRef("fingerprint"))
        twin = same.exclude(pk=OuterRef("pk")).order_by("pk").values("label")[:1]
        keys: QuerySet[ProviderKey] = super().get_queryset(request).annotate(twin=Subquery(twin))
        return keys

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The figures of all keys of a page are asked for together."""
        listing = super().get_changelist_instance(request)
        key_figures.attach(listing.result_list)
        return listing

    def why_kept(self, row: Any) -> str:
        """A key that was ever used belongs to the record."""
        if not super().why_kept(row):
            return ""
        told = {"label": row.label}
        return _("The key “%(label)s” has tasks or ledger rows and stays. Disable it instead.") % told

    def save_model(self, request: HttpRequest, obj: ProviderKey, form: Any, change: bool) -> None:
        if not change and isinstance(request.user, User):
            obj.added_by = request.user
        super().save_model(request, obj, form, change)

    @admin.display(description=gettext_lazy("in flight"))
    def running(self, key: ProviderKey) -> str:
        """How many are at the vendor of how many that may be; the second figure can be the account's own."""
        slots = f"{key_figures.in_flight(key)} / {key.slots}"
        return _("%(slots)s, as the account says") % {"slots": slots} if key.slots != key.max_in_flight else slots

    @admin.display(description=gettext_lazy("balance"), ordering="balance")
    def left(self, key: ProviderKey) -> str:
        told = asking.balance(key)
        return f"{told} ({asking.age(key.balance_at)})" if key.balance_at else told

    @admin.display(description=gettext_lazy("spent this month"))
    def spent(self, key: ProviderKey) -> str:
        return key_figures.spent_cell(key)

    @admin.display(description=gettext_lazy("API key"), ordering="label")
    def name(self, key: ProviderKey) -> str:
        context = {"key": key}
        return render_to_string("admin/generations/providerkey/name.html", context)

    @admin.display(description=gettext_lazy("last used"), ordering="last_used_at", empty_value="–")
    def used(self, key: ProviderKey) -> str:
        return asking.age(key.last_used_at)

    @admin.display(description=gettext_lazy("problem and last error"), ordering="last_error_at")
    def went_wrong(self, key: ProviderKey) -> str:
        """What keeps it from new work, and the last thing that went wrong even if it works by now."""
        error = Truncator(key.last_error).chars(ERROR_AT_MOST)
        context = {"trouble": self.trouble(key), "error": error, "age": asking.age(key.last_error_at)}
        return render_to_string("admin/generations/providerkey/trouble.html", context)

    @admin.display(description=gettext_lazy("expires"), ordering="expires_on", empty_value="–")
    def expires(self, key: ProviderKey) -> str:
        if key.expires_on is None:
            return ""
        day = date_format(key.expires_on, "DATE_FORMAT")
        if key.expires_on < timezone.localdate():
            return _("⚠ expired on %(date)s") % {"date": day}
        return f"⚠ {day}" if key.expires_soon else day

    @admin.display(description=gettext_lazy("the vendor's id of the key"), empty_value="–")
    def vendor_name_of_it(self, key: ProviderKey) -> str:
        return key.vendor_key_id or "–"

    @admin.display(description=gettext_lazy("replaces and replaced by"), empty_value="–")
    def line(self, key: ProviderKey) -> str:
        return format_html_join(", ", '<a href="{}">{}</a>', key_page.line(key)) or "–"

    @admin.display(description=gettext_lazy("at the vendor"))
    def at_vendor(self, key: ProviderKey) -> str:
        told = asking.load(key)
        return f"{told} ({asking.age(key.balance_at)})" if key.balance_at and told != "–" else told

    @admin.display(description=gettext_lazy("problem"))
    def trouble(self, key: ProviderKey) -> str:
        """Why it takes no new work although nobody paused it, and since when; and whether it is there twice."""
        if twin := getattr(key, "twin", None):
            return _("⚠ has the secret of “%(label)s”") % {"label": twin}
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

    @admin.action(description=gettext_lazy("Rotate: a new secret replaces the old one"), permissions=["change"])
    def rotate_key(self, request: HttpRequest, rows: QuerySet[ProviderKey]) -> HttpResponse | None:
        chosen = list(rows[:2])
        if len(chosen) == 1:
            return HttpResponseRedirect(reverse("admin:rotate-key", args=[chosen[0].pk]))
        messages.warning(request, _("Choose one key: each gets a secret of its own."))
        return None

    @admin.action(description=gettext_lazy("Drain: nothing new, then disable"), permissions=["change"])
    def drain_keys(self, request: HttpRequest, rows: QuerySet[ProviderKey]) -> None:
        _put(rows, KeyState.DRAINING)

    @admin.action(description=gettext_lazy("Disable"), permissions=["change"])
    def disable_keys(self, request: HttpRequest, rows: QuerySet[ProviderKey]) -> None:
        _put(rows, KeyState.DISABLED)

    @admin.action(description=gettext_lazy("Activate, and forget the last problem"), permissions=["change"])
    def activate_keys(self, request: HttpRequest, rows: QuerySet[ProviderKey]) -> None:
        """A key whose address was taken off the list meanwhile stays where it is."""
        good = []
        for key in rows:
            problem = addresses.why_not_allowed(key.provider, key.base_url)
            if problem:
                messages.error(request, f"{key.label}: {problem}")
            else:
                good.append(key)
        _put(good, KeyState.ACTIVE)
        ProviderKey.objects.filter(pk__in=[key.pk for key in good]).update(problem="", problem_at=None)

    def get_urls(self) -> list[URLPattern]:
        views = {"test": self.test_view, "reconcile": self.reconcile_view}
        posts = [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(require_POST(view)), name=f"{name}-key")
            for name, view in views.items()
        ]
        page = path("<int:pk>/rotate/", self.admin_site.admin_view(self.rotate_view), name="rotate-key")
        return [*posts, page, *super().get_urls()]

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        key = get_object_or_404(ProviderKey, pk=pk)
        if not self.has_change_permission(request, key):
            return HttpResponse(status=403)
        asking.ask(request, key)
        return HttpResponseRedirect(reverse(CHANGE, args=[pk]))

    def rotate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        key = get_object_or_404(ProviderKey, pk=pk)
        if not self.has_change_permission(request, key):
            return HttpResponse(status=403)
        return rotate.page(request, key, self)

    def reconcile_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        key = get_object_or_404(ProviderKey, pk=pk)
        if not self.has_change_permission(request, key):
            return HttpResponse(status=403)
        key_page.reconcile(request, key)
        return HttpResponseRedirect(reverse(CHANGE, args=[pk]))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        key = context.get("original")
        if key is not None:
            context |= {"use": key_page.use_of(key), "may_change": self.has_change_permission(request, key)}
        return super().render_change_form(request, context, *args, **kwargs)


def _put(keys: Iterable[ProviderKey], state: KeyState) -> None:
    """One by one: what people change is kept, and that hears of saves only."""
    for key in keys:
        if key.state != state:
            key.state = state
            key.save(update_fields=["state"])
