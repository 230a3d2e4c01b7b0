"""Share links of the whole house, and its rules. Addresses are nobody's to read: only their ends are kept."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy, ngettext, pgettext_lazy

from generations import sharing
from generations.admin.guards import Guarded, Listed, ReadOnly, is_admin
from generations.admin.leave import PersonChoice
from generations.models import HouseRules, Role, ShareLink, ShareVisit, User


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "which"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", pgettext_lazy("share link", "Open")), ("ended", gettext_lazy("Ended or revoked"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ShareLink]) -> QuerySet[ShareLink]:
        running = sharing.still_open(ShareLink.objects.all(), HouseRules.now()).values("pk")
        if self.value() == "open":
            return queryset.filter(pk__in=running)
        return queryset.exclude(pk__in=running) if self.value() == "ended" else queryset


class OwnerFilter(admin.SimpleListFilter):
    """Of those who have any."""

    title = gettext_lazy("person")
    parameter_name = "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        people = User.objects.filter(pk__in=ShareLink.objects.values("owner")).order_by("username")
        return [(str(person.pk), person.display_name) for person in people]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ShareLink]) -> QuerySet[ShareLink]:
        chosen = self.value() or ""
        return queryset.filter(owner=int(chosen)) if chosen.isdecimal() and len(chosen) < 19 else queryset


class TransferForm(forms.Form):
    """The choices are read with each form, not once when the module is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        may_own = User.objects.filter(is_active=True).exclude(role=Role.AUDITOR).order_by("username")
        self.fields["person"] = PersonChoice(label=gettext_lazy("New owner"), queryset=may_own, empty_label=None)


class VisitInline(ReadOnly, admin.TabularInline[ShareVisit, ShareLink]):
    model = ShareVisit
    verbose_name_plural = gettext_lazy("who opened it")
    fields = ("who", "views", "downloads", "last_at", "asked_at")
    readonly_fields = fields
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[ShareVisit]:
        return super().get_queryset(request).select_related("person").order_by("-last_at")

    @admin.display(description=gettext_lazy("person"))
    def who(self, visit: ShareVisit) -> str:
        return visit.person.display_name if visit.person else str(gettext_lazy("not signed in"))


@admin.register(ShareLink)
class ShareLinkAdmin(ReadOnly, Listed):
    list_display = (
        "shown", "owner_name", "audience", "state", "expires_at", "opened", "last_opened_at",
    )  # fmt: skip
    list_filter = (StateFilter, "audience", OwnerFilter)
    list_select_related = ("owner", "task__owner", "batch__owner")
    search_fields = ("label", "token_end", "owner__username")
    actions = ("revoke_links", "transfer_links")
    inlines = (VisitInline,)
    fields = (
        "shown", "label", "owner_name", "creator", "created_at", "audience", "state", "expires_at", "has_passphrase",
        "allow_download", "show_settings", "view_count", "download_count", "first_opened_at", "last_opened_at",
        "revoked_at", "revoker",
    )  # fmt: skip
    readonly_fields = fields

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return is_admin(request)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """All of a page at once: what a link covers decides whether it opens."""
        listing = super().get_changelist_instance(request)
        rows = list(listing.result_list)
        tasks = sharing.tasks_of_all(rows)
        for row in rows:
            row.__dict__["tasks"] = tasks[row.pk]
        listing.result_list = rows
        return listing

    @admin.action(description=gettext_lazy("Revoke: from now on they open for nobody"), permissions=["manage"])
    def revoke_links(self, request: HttpRequest, rows: QuerySet[ShareLink]) -> None:
        by = request.user if isinstance(request.user, User) else None
        number = sum(sharing.revoke(link, by) for link in rows.filter(revoked_at=None))
        text = ngettext("%(number)d link is revoked.", "%(number)d links are revoked.", number)
        messages.success(request, text % {"number": number})

    @admin.action(description=gettext_lazy("Transfer to another person…"), permissions=["manage"])
    def transfer_links(self, request: HttpRequest, rows: QuerySet[ShareLink]) -> TemplateResponse | None:
        """Asks to whom; the same action once more, with a person, does it."""
        form = TransferForm(request.POST if "transfer" in request.POST else None)
        if not form.is_bound or not form.is_valid():
            context = {
                **self.admin_site.each_context(request),
                "title": gettext_lazy("Transfer share links"),
                "opts": self.opts,
                "form": form,
                "links": rows.select_related("owner", "task", "batch"),
            }
            status = 422 if form.is_bound else 200
            return TemplateResponse(request, "admin/generations/sharelink/transfer.html", context, status=status)
        self._transfer(request, rows, form.cleaned_data["person"])
        return None

    def _transfer(self, request: HttpRequest, rows: QuerySet[ShareLink], to: User) -> None:
        """Those that cannot go on with this person stay where they are, and are named."""
        number = 0
        for link in rows.select_related("owner"):
            try:
                sharing.transfer(link, to)
                number += 1
            except sharing.Refused as error:
                messages.error(request, f"{link}: {error.sentence}")
        text = ngettext("%(number)d link was transferred.", "%(number)d links were transferred.", number)
        messages.success(request, text % {"number": number})

    @admin.display(description=gettext_lazy("shows"), ordering="-id")
    def shown(self, row: ShareLink) -> str:
        what = gettext_lazy("batch") if row.batch_id else gettext_lazy("clip")
        prompt = row.task.prompt_text[:60] if row.task else ""
        return f"{row.label or prompt or what} …{row.token_end}"

    @admin.display(description=gettext_lazy("state"))
    def state(self, row: ShareLink) -> str:
        tasks = row.__dict__.get("tasks")
        tasks = list(sharing.tasks_of(row)) if tasks is None else tasks
        return str(sharing.state_of(row, HouseRules.now(), tasks).label)

    @admin.display(description=gettext_lazy("owner"), ordering="owner")
    def owner_name(self, row: ShareLink) -> str:
        return row.owner.display_name

    @admin.display(description=gettext_lazy("opened / downloads"), ordering="view_count")
    def opened(self, row: ShareLink) -> str:
        return f"{row.view_count} / {row.download_count}"

    @admin.display(description=gettext_lazy("made by"))
    def creator(self, row: ShareLink) -> str:
        return row.created_by.display_name

    @admin.display(description=gettext_lazy("passphrase"), boolean=True)
    def has_passphrase(self, row: ShareLink) -> bool:
        return bool(row.passphrase_hash)

    @admin.display(description=gettext_lazy("revoked by"), empty_value="–")
    def revoker(self, row: ShareLink) -> str:
        return row.revoked_by.display_name if row.revoked_by else ""


@admin.register(HouseRules)
class HouseRulesAdmin(Guarded):
    """There is one row, saved for the first time when an administrator decides something: a form, and no list."""

    list_display = ("__str__", "anyone_links", "anyone_days")
    fields = ("anyone_links", "anyone_days")
    show_full_result_count = False
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not HouseRules.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: HouseRules | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: HouseRules, form: Any, change: bool) -> None:
        obj.pk = 1
        super().save_model(request, obj, form, change)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if HouseRules.objects.exists():
            return redirect("admin:generations_houserules_change", 1)
        if self.has_add_permission(request):
            return redirect("admin:generations_houserules_add")
        return super().changelist_view(request, extra_context)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        one = {
            "title": capfirst(self.opts.verbose_name),
            "show_save_and_add_another": False,
            "show_save_and_continue": False,
        }
        return super().changeform_view(request, object_id, form_url, {**one, **(extra_context or {})})

    def response_add(self, request: HttpRequest, obj: HouseRules, post_url_continue: Any = None) -> HttpResponse:
        return self.response_change(request, obj)

    def response_change(self, request: HttpRequest, obj: HouseRules) -> HttpResponse:
        if obj.anyone_links:
            said = ngettext(
                "Saved. People may make links that open for anyone; such a link ends after %(days)d day at most.",
                "Saved. People may make links that open for anyone; such a link ends after %(days)d days at most.",
                obj.anyone_days,
            )
        else:
            said = gettext("Saved. Links for anyone are switched off: none that exists opens.")
        messages.success(request, said % {"days": obj.anyone_days})
        return redirect("admin:generations_houserules_change", obj.pk)
