"""People, and the records that only the engine writes."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy
from django_q import admin as queue_admin  # noqa: F401  (registers its tables, below they are taken off again)
from django_q import models as queue_models

from generations.models import Attempt, Creation, Task, TaskEvent, UsageEntry, User

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
