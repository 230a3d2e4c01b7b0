"""What an administrator may say of a create whose answer was lost."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generations.models import Attempt

EXISTS, NOT_MADE, RESEND = "exists", "not-made", "resend"
DECISIONS = (
    (EXISTS, gettext_lazy("It exists")),
    (NOT_MADE, gettext_lazy("It does not exist")),
    (RESEND, gettext_lazy("Send again and accept the risk")),
)
REMOTE_ID = RegexValidator(
    r"\A[A-Za-z0-9._:-]{1,120}\Z", gettext_lazy("An id has letters, digits and . _ : - only, 120 at most.")
)


class DecideForm(forms.Form):
    """One of the three; what belongs to the other two is ignored."""

    decision = forms.ChoiceField(choices=DECISIONS)
    remote_id = forms.CharField(required=False, label=gettext_lazy("The vendor's id of the clip"))
    accept = forms.BooleanField(required=False)

    def __init__(self, *args: Any, attempt: Attempt, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.attempt = attempt

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("decision") == EXISTS:
            self._check_id(cleaned.get("remote_id") or "")
        elif cleaned.get("decision") == RESEND and not cleaned.get("accept"):
            self.add_error("accept", _("Tick the box first: it may be paid for twice."))
        return cleaned

    def _check_id(self, remote_id: str) -> None:
        if not remote_id:
            self.add_error("remote_id", _("Enter the id that the vendor's console shows."))
            return
        try:
            REMOTE_ID(remote_id)
        except forms.ValidationError as problem:
            self.add_error("remote_id", problem)
            return
        if Attempt.objects.filter(provider=self.attempt.provider, remote_id=remote_id).exists():
            self.add_error("remote_id", _("Another clip of this house has this id already."))
