"""People by role. Whoever made or booked something stays in the record: they are deactivated, never deleted."""

from typing import Any

from allauth.account.adapter import get_adapter as accounts
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from generations import sessions
from generations.admin import leave
from generations.admin.guards import Kept, is_admin
from generations.models import Role, User

TEAM_USAGE = "view_team_usage"
ROLE_HELP = gettext_lazy(
    "A member sees their own work and the team's. An auditor sees everything and changes nothing. "
    "An administrator may change everything."
)


class RoleForm(UserChangeForm[User]):
    """Takes care that somebody is left who may change things."""

    sees_usage = forms.BooleanField(
        label=capfirst(gettext_lazy("sees everybody's usage")),
        required=False,
        help_text=gettext_lazy("For members; auditors and administrators do anyway."),
    )

    class Meta(UserChangeForm.Meta):
        help_texts = {"is_active": gettext_lazy("“End access” ends it, and asks who goes on with the person's clips.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "role" in self.fields:
            self.fields["role"].help_text = ROLE_HELP
        if "groups" in self.fields:
            self.fields["groups"].label = capfirst(gettext_lazy("teams"))
            self.fields["groups"].help_text = gettext_lazy("A clip can be for one team of its maker alone.")
        if self.instance.pk and "sees_usage" in self.fields:
            self.fields["sees_usage"].initial = self.instance.user_permissions.filter(codename=TEAM_USAGE).exists()

    def clean_email(self) -> str:
        """One that was changed is taken for checked, and a checked address is one person's only."""
        email = str(self.cleaned_data["email"])
        others = EmailAddress.objects.filter(email__iexact=email, verified=True).exclude(user=self.instance.pk)
        if "email" in self.changed_data and email and others.exists():
            raise accounts().validation_error("email_taken")
        return email

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        stays = cleaned.get("role") == Role.ADMIN
        others = User.objects.filter(role=Role.ADMIN, is_active=True).exclude(pk=self.instance.pk)
        if self.instance.is_active and self.initial.get("role") == Role.ADMIN and not stays and not others.exists():
            self.add_error("role", _("This is the last active administrator: make somebody else one first."))
        return cleaned


def _replace_addresses(person: User) -> None:
    """The one before must not get this person's new passwords any more, nor let anybody in by single sign-on."""
    EmailAddress.objects.filter(user=person).delete()
    if person.email:
        EmailAddress.objects.create(user=person, email=person.email.lower(), verified=True, primary=True)


@admin.register(User)
class PersonAdmin(Kept, UserAdmin[User]):
    form = RoleForm
    add_form = AdminUserCreationForm
    list_display = ("username", "display_name", "role", "is_active", "teams", "last_login")
    list_filter = ("role", "is_active", "groups")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    filter_horizontal = ("groups",)
    actions = ("forget_doors",)
    readonly_fields = ("is_active", "last_login", "date_joined", "left_at", "successor")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (gettext_lazy("Person"), {"fields": ("first_name", "last_name", "email")}),
        (gettext_lazy("What they may do"), {"fields": ("role", "is_active", "sees_usage", "groups")}),
        (gettext_lazy("Look"), {"fields": ("theme", "language", "time_zone")}),
        (gettext_lazy("Record"), {"fields": ("last_login", "date_joined", "left_at", "successor")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "usable_password", "password1", "password2", "role")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def get_urls(self) -> list[URLPattern]:
        leave_page = self.admin_site.admin_view(self.leave_view)
        back = self.admin_site.admin_view(require_POST(self.return_view))
        pages = [
            path("<int:pk>/leave/", leave_page, name="leave-person"),
            path("<int:pk>/return/", back, name="return-person"),
        ]
        return [*pages, *super().get_urls()]

    def leave_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return leave.page(request, self._person(request, pk), self)

    def return_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return leave.back(request, self._person(request, pk))

    def _person(self, request: HttpRequest, pk: int) -> User:
        if not is_admin(request):
            raise PermissionDenied
        return get_object_or_404(User, pk=pk)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        person, may = kwargs.get("obj"), is_admin(request)
        context["may_end_access"] = may and person is not None and person.is_active
        context["may_let_in"] = may and person is not None and not person.is_active
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description=gettext_lazy("Forget passkeys, codes and single sign-on"), permissions=["change"])
    def forget_doors(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """For whoever lost phone and codes, or comes with a new account of the provider: the password is left."""
        for row in [*Authenticator.objects.filter(user__in=queryset), *SocialAccount.objects.filter(user__in=queryset)]:
            row.delete()  # one by one: each is a row of the record
        sessions.end_all_of(list(queryset.values_list("pk", flat=True)))  # whoever holds the lost phone is signed in
        text = _("Forgotten. Until new ones are set up, the password alone lets them in.")
        messages.info(request, text)

    def why_kept(self, row: Any) -> str:
        if not super().why_kept(row):
            return ""
        told = {"name": row.display_name}
        return _("%(name)s has made or booked something, which keeps its name. End the person's access instead.") % told

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """The role says all: an old superuser's mark would make an administrator of anybody."""
        obj.is_superuser = obj.is_superuser and obj.role == Role.ADMIN
        super().save_model(request, obj, form, change)
        if "email" in form.changed_data:
            _replace_addresses(obj)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if "sees_usage" in form.cleaned_data:
            right = Permission.objects.get(codename=TEAM_USAGE, content_type__app_label="generations")
            change_of, wanted = form.instance.user_permissions, form.cleaned_data["sees_usage"]
            if wanted != change_of.contains(right):
                (change_of.add if wanted else change_of.remove)(right)

    @admin.display(description=gettext_lazy("sees everybody's usage"), boolean=True)
    def sees_usage(self, person: User) -> bool:
        """For those who may only look; others have the form's field of this name."""
        return person.is_staff or person.user_permissions.filter(codename=TEAM_USAGE).exists()

    @admin.display(description=gettext_lazy("name"))
    def display_name(self, person: User) -> str:
        return person.display_name

    @admin.display(description=gettext_lazy("teams"), empty_value="–")
    def teams(self, person: User) -> str:
        return ", ".join(group.name for group in person.groups.all())


admin.site.unregister(Group)


@admin.register(Group)
class TeamAdmin(Kept, GroupAdmin):
    """Teams have people and budgets; what one may do is a matter of roles."""

    list_display = ("name", "members")
    fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        teams: QuerySet[Group] = super().get_queryset(request).annotate(people=Count("user"))
        return teams

    def why_kept(self, row: Any) -> str:
        if row.tasks.exists():
            return _("Clips were made for the team “%(name)s”, which stays for their sake.") % {"name": row.name}
        if not row.budgets.exists():
            return ""
        return _("The team “%(name)s” has budgets: delete them or make them inactive first.") % {"name": row.name}

    @admin.display(description=gettext_lazy("members"), ordering="people")
    def members(self, team: Group) -> int:
        return int(getattr(team, "people", 0))
