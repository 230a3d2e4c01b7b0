"""The records that only the engine writes: tasks, comparisons with vendors. Django-q's own tables are not shown."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy, ngettext
from django_q import admin as queue_admin  # noqa: F401  (registers its tables, below they are taken off again)
from django_q import models as queue_models

from generations import lifecycle, words
from generations.admin.guards import Listed, ReadOnly, is_admin
from generations.models import (
    Attempt,
    Creation,
    CreationState,
    Difference,
    Reconciliation,
    Task,
    TaskEvent,
    User,
)
from generations.queue import enqueue
from generations.reconciliation import wording

MOST_ASKED = 100  # at once: each is a request to a vendor

# A schedule names any function of the machine: whoever may add one has a shell, and with it every secret.
for table in (queue_models.Schedule, queue_models.OrmQ, queue_models.Success, queue_models.Failure):
    if admin.site.is_registered(table):
        admin.site.unregister(table)


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
class TaskAdmin(ReadOnly, Listed):
    list_display = ("id", "created_at", "owner", "key", "model", "mode", "state", "estimate", "charge", "unit")
    list_filter = ("state", "provider", "mode", "key")
    list_select_related = ("owner", "key")
    search_fields = ("prompt_text", "attempt__remote_id")
    inlines = (AttemptInline, CreationInline, EventInline)
    actions = ("ask_now", "save_again")

    def has_nudge_permission(self, request: HttpRequest) -> bool:
        return is_admin(request)

    @admin.action(description=gettext_lazy("Ask the vendor now"), permissions=["nudge"])
    def ask_now(self, request: HttpRequest, rows: QuerySet[Task]) -> None:
        actor = request.user if isinstance(request.user, User) else None
        number = sum(lifecycle.ask_now(task, actor) for task in rows[:MOST_ASKED]) if actor else 0
        text = ngettext(
            "The vendor is asked about %(number)d clip.", "Vendors are asked about %(number)d clips.", number
        )
        messages.info(request, text % {"number": number})

    @admin.action(description=gettext_lazy("Save the copy again"), permissions=["nudge"])
    def save_again(self, request: HttpRequest, rows: QuerySet[Task]) -> None:
        """What has no copy yet is tried now; a stored copy is whole and stays."""
        ids = list(rows.values_list("pk", flat=True)[:MOST_ASKED])
        waiting = list(Creation.objects.filter(task__in=ids, state=CreationState.PENDING))
        for creation in waiting:
            enqueue("archive", creation.pk)
        number = len(waiting)
        text = ngettext("%(number)d copy is tried now.", "%(number)d copies are tried now.", number)
        messages.info(request, text % {"number": number})


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnly, Listed):
    list_display = ("id", "key", "from_at", "to_at", "state", "listed", "same", "created_at", "ended_at")
    list_filter = ("state", "key")
    list_select_related = ("key",)

    def view_on_site(self, run: Reconciliation) -> str:
        """The page with what to do about each difference."""
        return reverse("reconciliation-run", args=[run.pk])


@admin.register(Difference)
class DifferenceAdmin(ReadOnly, Listed):
    list_display = ("id", "key", "kind", "state", "task", "remote_id", "ours_told", "theirs_told", "found_at")
    list_filter = ("state", "kind", "key")
    list_select_related = ("key", "task")
    search_fields = ("remote_id__exact",)
    fields = (
        "key", "kind", "state", "task", "remote_id", "ours_told", "theirs_told", "facts_told", "happened_at",
        "found_at", "closed_at", "closed_by", "entry", "run",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description=gettext_lazy("facts"), empty_value="–")
    def facts_told(self, row: Difference) -> str:
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in wording.facts(row)))

    def view_on_site(self, difference: Difference) -> str:
        return reverse("reconciliation-run", args=[difference.run_id])

    @admin.display(description=gettext_lazy("ours"), ordering="ours", empty_value="–")
    def ours_told(self, row: Difference) -> str:
        return "" if row.ours is None else words.money(row.ours, row.unit)

    @admin.display(description=gettext_lazy("theirs"), ordering="theirs", empty_value="–")
    def theirs_told(self, row: Difference) -> str:
        return "" if row.theirs is None else words.money(row.theirs, row.unit)
