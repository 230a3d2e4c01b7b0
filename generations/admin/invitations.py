"""Invitations: administrators make them and take them back, auditors look. The address is shown once, right here."""

from typing import Any

import allauth.account.admin
import allauth.mfa.admin
import allauth.socialaccount.admin
import allauth.usersessions.admin  # noqa: F401  (all four register their tables when they are first read)
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from generations import addresses, invitations
from generations.admin.guards import Listed, is_admin
from generations.admin.people import ROLE_HELP
from generations.models import Invitation

# allauth's own tables: what stands there makes somebody somebody else. They have pages for whom they belong to.
for model in (EmailAddress, EmailConfirmation, Authenticator, SocialAccount, SocialApp, SocialToken, UserSession):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


class InvitationForm(forms.ModelForm[Invitation]):
    days = forms.IntegerField(
        label=gettext_lazy("good for days"),
        min_value=1,
        max_value=invitations.MOST_DAYS,
        initial=invitations.DAYS,
    )

    class Meta:
        model = Invitation
        fields = ("name", "email", "role", "teams")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "role" not in self.fields:  # for those who only look
            return
        self.fields["role"].help_text = ROLE_HELP
        if settings.VIDEOFORGE_SENDS_MAIL:
            self.fields["email"].help_text = _("The invitation is sent there, too.")
        else:
            self.fields["email"].help_text = _("No mail is set up here: give the address to the person yourself.")


@admin.register(Invitation)
class InvitationAdmin(Listed):
    form = InvitationForm
    list_display = ("__str__", "state", "role", "teams_named", "created_by", "expires_at", "person")
    list_select_related = ("created_by", "person")
    list_filter = ("role",)
    search_fields = ("name", "email")
    filter_horizontal = ("teams",)
    actions = ("revoke",)
    fields = ("name", "email", "role", "teams", "days")
    shown = ("name", "email", "role", "teams_named", "state", "created_by", "created_at", "expires_at", "accepted_at",
             "person", "revoked_at")  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown if obj else self.fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invitation]:
        return super().get_queryset(request).prefetch_related("teams")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_admin(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        only_save = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, {**(extra_context or {}), **only_save})

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        obj.token = invitations.make(obj, request.user, form.cleaned_data["days"])  # type: ignore[attr-defined,arg-type]

    def response_add(self, request: HttpRequest, obj: Invitation, post_url_continue: Any = None) -> HttpResponse:
        """The page itself, no way on with a message: a message is kept, and the address must be nowhere."""
        page = reverse("invitation", args=[obj.token])  # type: ignore[attr-defined]
        address = addresses.own(request.build_absolute_uri(page))
        mailed = bool(obj.email) and settings.VIDEOFORGE_SENDS_MAIL and invitations.mail(obj, address)
        context = {
            **self.admin_site.each_context(request), "opts": self.opts, "invitation": obj, "address": address,
            "mailed": mailed, "not_mailed": bool(obj.email) and not mailed, "title": _("Invitation made"),
        }  # fmt: skip
        return TemplateResponse(request, "admin/generations/invitation/made.html", context)

    @admin.action(description=gettext_lazy("Take the chosen invitations back"), permissions=["add"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        count = invitations.revoke(queryset)
        text = ngettext("%(n)d invitation was taken back.", "%(n)d invitations were taken back.", count)
        messages.info(request, text % {"n": count})

    @admin.display(description=gettext_lazy("state"))
    def state(self, invitation: Invitation) -> str:
        return invitations.state_of(invitation)

    @admin.display(description=gettext_lazy("teams"), empty_value="–")
    def teams_named(self, invitation: Invitation) -> str:
        return ", ".join(team.name for team in invitation.teams.all())
