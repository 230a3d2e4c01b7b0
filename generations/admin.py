"""Where administrators keep keys, people and look at everything else. Secrets go in and never come out."""

import time
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from django_q import admin as queue_admin  # noqa: F401  (registers its tables, below they are taken off again)
from django_q import models as queue_models

from generations import keys
from generations.models import (
    Attempt,
    Creation,
    KeyState,
    ProviderKey,
    Task,
    TaskEvent,
    TaskState,
    UsageEntry,
    User,
)
from generations.providers import PROVIDERS
from generations.queue import enqueue

TEST_WAIT_SECONDS = 6.0
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# What is entered of a key, in the order of its page.
ENTERED = (
    "label", "provider", "secret", "base_url", "state", "max_in_flight", "monthly_budget", "expires_on", "note",
    "options",
)  # fmt: skip

# A schedule names any function of the machine: whoever may add one has a shell, and with it every secret.
for table in (queue_models.Schedule, queue_models.OrmQ, queue_models.Success, queue_models.Failure):
    if admin.site.is_registered(table):
        admin.site.unregister(table)


class ReadOnly:
    """For tables whose rows only the engine writes."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(User)
class PersonAdmin(UserAdmin[User]):
    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        (gettext_lazy("Look"), {"fields": ("theme", "language", "time_zone")}),
    )


class KeyForm(forms.ModelForm[ProviderKey]):
    base_url = forms.URLField(
        label=capfirst(gettext_lazy("base address")),
        required=False,
        assume_scheme="https",
        help_text=gettext_lazy("Empty: the vendor's own."),
    )
    secret = forms.CharField(
        label=capfirst(gettext_lazy("secret")),
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("Typed once, stored encrypted, never shown again. Empty keeps the present one."),
    )

    class Meta:
        model = ProviderKey
        fields = ENTERED

    def clean_secret(self) -> str:
        secret = str(self.cleaned_data["secret"])
        if not secret and self.instance.pk:
            return ""
        problem = keys.bad_secret(secret)
        if problem:
            raise forms.ValidationError(problem)
        return secret

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        provider = cleaned.get("provider") or self.instance.provider
        if not cleaned.get("base_url") and provider in PROVIDERS:
            cleaned["base_url"] = PROVIDERS[provider].base_urls[0]
        self._check_address(cleaned.get("base_url", ""), cleaned.get("secret", ""))
        return cleaned

    def _check_address(self, address: str, secret: str) -> None:
        """The secret goes to this address: only whoever knows it may send it somewhere else."""
        parts = urlsplit(address)
        if parts.username or (parts.scheme != "https" and parts.hostname not in LOOPBACK):
            self.add_error("base_url", _("Use an https:// address without a user name in it."))
        elif self.instance.pk and address.rstrip("/") != self.initial.get("base_url", "").rstrip("/") and not secret:
            self.add_error("secret", _("The address changes: type the secret again."))

    def clean_options(self) -> dict[str, Any]:
        options = self.cleaned_data["options"] or {}
        if not isinstance(options, dict):
            raise forms.ValidationError(_("Options are an object, for example {}."))
        return options

    def save(self, commit: bool = True) -> ProviderKey:
        if self.cleaned_data["secret"]:
            self.instance.set_secret(self.cleaned_data["secret"])
        if self.changed_data:
            self.instance.problem = ""
        return super().save(commit)


@admin.register(ProviderKey)
class KeyAdmin(admin.ModelAdmin[ProviderKey]):
    form = KeyForm
    change_form_template = "admin/generations/providerkey/change_form.html"
    list_display = ("label", "provider", "masked", "state", "trouble", "running", "balance", "last_used_at", "added_by")
    list_filter = ("provider", "state", "problem")
    list_select_related = ("added_by",)
    show_full_result_count = False
    actions = ("test_keys", "drain_keys", "disable_keys", "activate_keys")
    readonly_fields = (
        "masked", "short_fingerprint", "trouble", "last_used_at", "last_ok_at", "last_error", "last_error_at",
        "balance", "balance_at", "added_by", "created_at",
    )  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: ProviderKey | None = None) -> Any:
        return [*ENTERED, *(self.readonly_fields if obj else ())]

    def get_readonly_fields(self, request: HttpRequest, obj: ProviderKey | None = None) -> tuple[str, ...]:
        # Tasks are followed with the vendor that made them: a key cannot change sides.
        return ("provider", *self.readonly_fields) if obj else ()

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
        return f"{getattr(key, 'in_flight', 0)} / {key.max_in_flight}"

    @admin.display(description=gettext_lazy("problem"))
    def trouble(self, key: ProviderKey) -> str:
        return f"⚠ {key.get_problem_display()}" if key.problem else "–"

    @admin.display(description=gettext_lazy("fingerprint"))
    def short_fingerprint(self, key: ProviderKey) -> str:
        return key.fingerprint[:8]

    @admin.action(description=gettext_lazy("Test with a free call"))
    def test_keys(self, request: HttpRequest, rows: QuerySet[ProviderKey]) -> None:
        for key in rows:
            _test(request, key)

    @admin.action(description=gettext_lazy("Drain: nothing new, follow what runs"))
    def drain_keys(self, request: HttpRequest, rows: QuerySet[ProviderKey]) -> None:
        rows.update(state=KeyState.DRAINING)

    @admin.action(description=gettext_lazy("Disable"))
    def disable_keys(self, request: HttpRequest, rows: QuerySet[ProviderKey]) -> None:
        rows.update(state=KeyState.DISABLED)

    @admin.action(description=gettext_lazy("Activate, and forget the last problem"))
    def activate_keys(self, request: HttpRequest, rows: QuerySet[ProviderKey]) -> None:
        rows.update(state=KeyState.ACTIVE, problem="", problem_at=None)

    def get_urls(self) -> list[URLPattern]:
        test = path("<int:pk>/test/", self.admin_site.admin_view(require_POST(self.test_view)), name="test-key")
        return [test, *super().get_urls()]

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        key = get_object_or_404(ProviderKey, pk=pk)
        if not self.has_change_permission(request, key):
            return HttpResponse(status=403)
        _test(request, key)
        return HttpResponseRedirect(reverse("admin:generations_providerkey_change", args=[pk]))


def _test(request: HttpRequest, key: ProviderKey) -> None:
    """Have the worker make the call, as everything that leaves the house, and wait a moment for what it noted."""
    before = (key.last_ok_at, key.last_error_at)
    enqueue("test_key", key.pk)
    end = time.monotonic() + TEST_WAIT_SECONDS
    while time.monotonic() < end:
        time.sleep(0.2)
        key.refresh_from_db()
        if key.last_error_at != before[1]:
            text = _("%(label)s: the test failed. %(error)s") % {"label": key.label, "error": key.last_error}
            messages.error(request, text)
            return
        if key.last_ok_at != before[0]:
            text = _("%(label)s is good. Balance: %(balance)s") % {"label": key.label, "balance": _plain(key.balance)}
            messages.success(request, text)
            return
    text = _("%(label)s: no answer yet. The worker may not be running; reload this page in a while.")
    messages.warning(request, text % {"label": key.label})


def _plain(amount: Decimal | None) -> str:
    """Without the zeros that the column has room for."""
    return "–" if amount is None else f"{amount.normalize():f}"


class AttemptInline(ReadOnly, admin.TabularInline[Attempt, Task]):
    model = Attempt
    fk_name = "task"
    extra = 0
    fields = ("number", "state", "key", "remote_id", "token", "body_digest", "sent_at", "answered_at", "failure_code")


class EventInline(ReadOnly, admin.TabularInline[TaskEvent, Task]):
    model = TaskEvent
    extra = 0
    fields = ("at", "kind", "actor", "detail")


class CreationInline(ReadOnly, admin.TabularInline[Creation, Task]):
    model = Creation
    extra = 0
    fields = ("position", "state", "size", "sha256", "deadline", "tries", "last_error", "stored_at")


@admin.register(Task)
class TaskAdmin(ReadOnly, admin.ModelAdmin[Task]):
    list_display = ("id", "created_at", "owner", "key", "model", "mode", "state", "estimate", "charge", "unit")
    list_filter = ("state", "provider", "mode")
    list_select_related = ("owner", "key")
    search_fields = ("prompt_text", "attempt__remote_id")
    show_full_result_count = False
    ordering = ("-id",)
    inlines = (AttemptInline, CreationInline, EventInline)


@admin.register(UsageEntry)
class UsageEntryAdmin(ReadOnly, admin.ModelAdmin[UsageEntry]):
    list_display = ("at", "key", "person", "task", "kind", "amount", "unit", "source", "note")
    list_filter = ("kind", "unit", "provider")
    list_select_related = ("key", "person", "task")
    show_full_result_count = False
    ordering = ("-id",)
