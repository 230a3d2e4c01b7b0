"""The page on which an administrator ends somebody's access and says who takes over."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generations import leaving
from generations.models import Role, User

CANNOT = {
    "last": gettext_lazy("This is the last active administrator: make somebody else one first."),
    "gone": gettext_lazy("This person has no access any more."),
    "successor": gettext_lazy("This person cannot take over. Choose somebody else."),
}
KEEP, END = "keep", "end"


class PersonChoice(forms.ModelChoiceField[User]):
    def label_from_instance(self, person: User) -> str:
        return f"{person.display_name} ({person.get_username()})"


class LeaveForm(forms.Form):
    successor = PersonChoice(
        User.objects.none(),
        required=False,
        label=capfirst(gettext_lazy("successor")),
        help_text=gettext_lazy("Sees and decides about all that this person leaves. Empty: administrators do."),
    )
    links = forms.ChoiceField(
        label=capfirst(gettext_lazy("share links")),
        choices=(
            (KEEP, gettext_lazy("Links for people of the house stay, links for anyone end")),
            (END, gettext_lazy("All end")),
        ),
        initial=KEEP,
        widget=forms.RadioSelect,
    )

    def __init__(self, person: User, *args: Any) -> None:
        super().__init__(*args)
        choice: Any = self.fields["successor"]
        choice.queryset = _who_may_follow(person)


def _who_may_follow(person: User) -> QuerySet[User]:
    """An auditor changes nothing, so nothing can be left to one."""
    able = User.objects.filter(is_active=True).exclude(role=Role.AUDITOR)
    return able.exclude(pk=person.pk).order_by("username")


def page(request: HttpRequest, person: User, owner: admin.ModelAdmin[Any]) -> HttpResponse:
    form = LeaveForm(person, request.POST) if request.method == "POST" else LeaveForm(person)
    if form.is_valid() and _leave(request, person, form):
        return HttpResponseRedirect(reverse("admin:generations_user_change", args=[person.pk]))
    context = {
        **owner.admin_site.each_context(request),
        "title": _("End the access of %(name)s") % {"name": person.display_name},
        "opts": owner.opts,
        "person": person,
        "form": form,
        "estate": leaving.estate_of(person),
    }
    status = 422 if form.is_bound else 200
    return TemplateResponse(request, "admin/generations/user/leave.html", context, status=status)


def _leave(request: HttpRequest, person: User, form: LeaveForm) -> bool:
    actor, told = request.user, form.cleaned_data
    if not isinstance(actor, User):
        return False
    try:
        leaving.leave(person, actor, successor=told["successor"], end_all_links=told["links"] == END)
    except leaving.CannotLeave as error:
        form.add_error("successor" if error.why == "successor" else None, str(CANNOT[error.why]))
        return False
    messages.success(request, _("%(name)s has no access any more.") % {"name": person.display_name})
    return True


def back(request: HttpRequest, person: User) -> HttpResponse:
    leaving.come_back(person)
    messages.success(request, _("%(name)s has access again.") % {"name": person.display_name})
    return HttpResponseRedirect(reverse("admin:generations_user_change", args=[person.pk]))
