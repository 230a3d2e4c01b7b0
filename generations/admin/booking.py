"""Rows that administrators book by hand: entered, then confirmed on a page that says what will stand in the ledger."""

import secrets
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.validators import MinValueValidator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generations import ledger, lifecycle, words
from generations.models import EntrySource, ProviderKey, Task, UsageEntry, User

REASON_AT_MOST = 400
TOKEN = "booking"  # noqa: S105  (the name under which a session keeps it)
LIST, ROW = "admin:generations_usageentry_changelist", "admin:generations_usageentry_change"


class Booking(forms.Form):
    """Something that can be booked. ``will_be`` says what, once the form is valid."""

    title: ClassVar[str | Promise]
    about: ClassVar[str | Promise]
    token = ""  # of the page that was confirmed: two presses that arrive together are one row by it

    def will_be(self) -> list[str]:
        raise NotImplementedError

    def book(self, actor: User) -> UsageEntry | None:
        """The row; None when the books say so already."""
        raise NotImplementedError


def _reason() -> forms.CharField:
    return forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=REASON_AT_MOST,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=gettext_lazy("Stands with the row for ever."),
    )


class AdjustForm(Booking):
    title = gettext_lazy("Adjust what a key spent")
    about = gettext_lazy("For what belongs to no clip of ours. A clip's charge is corrected with the clip.")

    key = forms.ModelChoiceField(ProviderKey.objects.order_by("label"), label=gettext_lazy("API key"))
    amount = forms.DecimalField(
        label=gettext_lazy("Amount"),
        help_text=gettext_lazy("In the key's unit; below zero for less spent."),
        max_digits=14,
        decimal_places=4,
    )
    reason = _reason()

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        if amount == 0:
            raise forms.ValidationError(_("An adjustment of nothing changes nothing."))
        return amount

    def will_be(self) -> list[str]:
        amount, key = self.cleaned_data["amount"], self.cleaned_data["key"]
        told = {"label": key.label, "amount": words.money(abs(amount), key.translator.unit)}
        if amount > 0:
            return [_("A row “Adjust” is booked: %(amount)s more spent on “%(label)s”.") % told]
        return [_("A row “Adjust” is booked: %(amount)s less spent on “%(label)s”.") % told]

    def book(self, actor: User) -> UsageEntry:
        data = self.cleaned_data
        return ledger.adjust(data["key"], data["amount"], data["reason"], actor, token=self.token)


class TopUpForm(Booking):
    title = gettext_lazy("Record a top-up")
    about = gettext_lazy(
        "Credits that were bought for a key. Nothing is spent; the balance stays what the vendor says."
    )

    key = forms.ModelChoiceField(ProviderKey.objects.order_by("label"), label=gettext_lazy("API key"))
    amount = forms.DecimalField(
        label=gettext_lazy("Amount"),
        help_text=gettext_lazy("In the key's unit."),
        validators=[MinValueValidator(Decimal("0.0001"))],
        max_digits=14,
        decimal_places=4,
    )
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=REASON_AT_MOST,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=gettext_lazy("Such as the number of the invoice."),
    )

    def will_be(self) -> list[str]:
        key = self.cleaned_data["key"]
        told = {"label": key.label, "amount": words.money(self.cleaned_data["amount"], key.translator.unit)}
        return [_("A row “Top-up” is booked: %(amount)s bought for “%(label)s”.") % told]

    def book(self, actor: User) -> UsageEntry:
        data = self.cleaned_data
        return ledger.top_up(data["key"], data["amount"], data["note"], actor, token=self.token)


class CorrectForm(Booking):
    title = gettext_lazy("Correct a clip's charge")
    about = gettext_lazy("What the clip cost in the end. The difference to what was booked becomes a row.")

    task = forms.CharField(
        label=gettext_lazy("Task"),
        max_length=60,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=gettext_lazy("Our id, as it stands in the address of its page."),
    )
    amount = forms.DecimalField(
        label=gettext_lazy("It cost"),
        help_text=gettext_lazy("In the vendor's unit; 0 where nothing was charged."),
        validators=[MinValueValidator(Decimal(0))],
        max_digits=14,
        decimal_places=4,
    )
    reason = _reason()

    def clean_task(self) -> Task:
        try:
            task = Task.objects.select_related("key").get(pk=UUID(str(self.cleaned_data["task"]).strip()))
        except (ValueError, Task.DoesNotExist):
            raise forms.ValidationError(_("There is no task with this id.")) from None
        if task.is_open:
            raise forms.ValidationError(_("This task has not ended: its charge comes with its end."))
        return task

    def will_be(self) -> list[str]:
        task, amount = self.cleaned_data["task"], self.cleaned_data["amount"]
        told = {
            "model": words.model_label(task),
            "label": task.key.label,
            "old": "" if task.charge is None else words.money(task.charge, task.unit),
            "new": words.money(amount, task.unit),
            "row": words.money(amount - ledger.booked(task), task.unit),
        }
        if task.charge is None:
            first = (
                _("The charge of the clip (%(model)s, key “%(label)s”) was not confirmed. It becomes %(new)s.") % told
            )
        else:
            first = _("The charge of the clip (%(model)s, key “%(label)s”) goes from %(old)s to %(new)s.") % told
        return [first, _("A row of %(row)s is booked, and what is still held for the clip is released.") % told]

    def book(self, actor: User) -> UsageEntry | None:
        data = self.cleaned_data
        return lifecycle.correct_charge(
            data["task"], data["amount"], data["reason"], source=EntrySource.ADMIN, actor=actor
        )


class ReverseForm(Booking):
    title = gettext_lazy("Reverse a row")
    about = gettext_lazy("The row stays, and a row with the opposite amount takes it back.")

    entry = forms.ModelChoiceField(UsageEntry.objects.all(), widget=forms.HiddenInput())
    reason = _reason()

    def clean_entry(self) -> UsageEntry:
        entry: UsageEntry = self.cleaned_data["entry"]
        problem = why_not_reversed(entry)
        if problem:
            raise forms.ValidationError(problem)
        return entry

    def will_be(self) -> list[str]:
        entry: UsageEntry = self.cleaned_data["entry"]
        told = {
            "kind": entry.get_kind_display(),
            "label": entry.key.label,
            "old": words.money(entry.amount, entry.unit),
            "new": words.money(-entry.amount, entry.unit),
        }
        return [_("“%(kind)s” of %(old)s on “%(label)s” is taken back by a row of %(new)s.") % told]

    def book(self, actor: User) -> UsageEntry:
        return ledger.reverse(self.cleaned_data["entry"], self.cleaned_data["reason"], actor)


def why_not_reversed(entry: UsageEntry) -> str:
    """A sentence, "" for a row that may be taken back."""
    if entry.kind in ledger.HELD:
        return _("A hold ends with its task; it is not reversed.")
    if entry.task_id:
        return _("This row belongs to a clip: correct the clip's charge instead, so that both say the same.")
    return _("This row has been taken back already.") if entry.reversed_by.exists() else ""


FORMS: dict[str, type[Booking]] = {
    "adjust": AdjustForm,
    "correct": CorrectForm,
    "top-up": TopUpForm,
    "reverse": ReverseForm,
}


# --- The pages -----------------------------------------------------------------------------------------------


def page(request: HttpRequest, what: str, owner: admin.ModelAdmin[Any]) -> HttpResponse:
    """The form; the page that says what will be booked; the booking."""
    if what not in FORMS:
        raise Http404(f"nothing to book: {what}")
    form = FORMS[what](request.POST) if request.method == "POST" else FORMS[what](initial=request.GET.dict())
    if not form.is_valid():
        return _page(request, owner, form, "form", 422 if form.is_bound else 200)
    if "confirmed" in request.POST:
        return _book(request, form)
    if "back" in request.POST:
        return _page(request, owner, form, "form")
    request.session[TOKEN] = secrets.token_urlsafe(12)
    return _page(request, owner, form, "confirm", once=request.session[TOKEN])


def _page(
    request: HttpRequest, owner: admin.ModelAdmin[Any], form: Booking, step: str, status: int = 200, **more: Any
) -> HttpResponse:
    hidden = {name: form.data.get(name, "") for name in form.fields} if step == "confirm" else {}
    context = {
        **owner.admin_site.each_context(request),
        "title": form.title,
        "opts": owner.opts,
        "form": form,
        "hidden": hidden,
        "told": hidden.get("reason") or hidden.get("note"),
        **more,
    }
    return TemplateResponse(request, f"admin/generations/usageentry/booking_{step}.html", context, status=status)


def _book(request: HttpRequest, form: Booking) -> HttpResponse:
    """Once for each page that asked for it: a second press of the same one books nothing."""
    token = request.session.pop(TOKEN, "")
    if not token or token != request.POST.get("once"):
        messages.warning(request, _("Nothing was booked: this page had been used, or a newer one was opened."))
        return HttpResponseRedirect(reverse(LIST))
    if not isinstance(request.user, User):
        raise TypeError("nobody is signed in")
    form.token = token
    entry = form.book(request.user)
    if entry is None:
        messages.info(request, _("Nothing was booked: the ledger says so already."))
        return HttpResponseRedirect(reverse(LIST))
    messages.success(request, _("Booked: %(amount)s.") % {"amount": words.money(entry.amount, entry.unit)})
    return HttpResponseRedirect(reverse(ROW, args=[entry.pk]))
