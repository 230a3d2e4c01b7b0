"""What to compare, and what to do about a difference."""

from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generations import totals
from generations.models import ProviderKey, User

MOST_DAYS = 92


class ReconcileForm(forms.Form):
    """A key and days of the books, both included; the last day may be today."""

    key = forms.ModelChoiceField(ProviderKey.objects.order_by("provider", "label"), label=gettext_lazy("API key"))
    first = forms.DateField(label=gettext_lazy("From"), widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label=gettext_lazy("To"), widget=forms.DateInput(attrs={"type": "date"}))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last:
            self._check(first, last)
        return cleaned

    def _check(self, first: date, last: date) -> None:
        if first > totals.today():
            self.add_error("first", _("This day has not come yet."))
        elif last < first:
            self.add_error("last", _("The last day lies before the first."))
        elif last - first >= timedelta(days=MOST_DAYS):
            self.add_error("last", _("At most %(days)d days in one run.") % {"days": MOST_DAYS})

    @property
    def window(self) -> tuple[datetime, datetime]:
        end = totals.starts_at(min(self.cleaned_data["last"], totals.today()) + timedelta(days=1))
        return totals.starts_at(self.cleaned_data["first"]), min(end, timezone.now())


class SettleForm(forms.Form):
    """One difference and what is to be done about it; whose the clip becomes matters to an adoption alone."""

    difference = forms.IntegerField(min_value=1)
    how = forms.CharField(max_length=10)
    owner = forms.ModelChoiceField(User.objects.filter(is_active=True), required=False)
    reason = forms.CharField(max_length=500, required=False)
    shown = forms.CharField(max_length=60, required=False)

    def clean_difference(self) -> int:
        number = int(self.cleaned_data["difference"])
        if number >= 2**63:
            raise ValidationError("too large")
        return number

    def clean(self) -> dict[str, Any]:
        """Whoever reads the books later will want to know why they were left differing."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("how") == "keep" and not cleaned.get("reason"):
            self.add_error("reason", _("Say why it is left as it is."))
        return cleaned
