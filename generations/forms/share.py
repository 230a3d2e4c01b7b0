"""What somebody decides about a new share link. Each audience has an end and a switch for the settings of its own."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from generations import limits, sharing
from generations.models import Audience, HouseRules, ShareLink, Task, User

CLIP, BATCH = "clip", "batch"
TEAM_DAYS = (7, 30, 90)  # or never
ANYONE_DAYS = (1, 3, 7, 14, 30)
SHORTEST_PASSPHRASE, LONGEST_PASSPHRASE = 6, 128


def day_choices(audience: str, rules: HouseRules) -> list[tuple[str, str]]:
    """After how many days a link may end. One for the team may also stay, which is "" here."""
    if audience == Audience.ANYONE:
        return [_days(number) for number in sorted({*ANYONE_DAYS, rules.anyone_days}) if number <= rules.anyone_days]
    return [("", str(_("Never"))), *(_days(number) for number in TEAM_DAYS)]


def _days(number: int) -> tuple[str, str]:
    return str(number), ngettext("%(number)d day", "%(number)d days", number) % {"number": number}


class ShareForm(forms.Form):
    """One link. Only what belongs to the chosen audience counts."""

    what = forms.ChoiceField(
        label=gettext_lazy("What"), choices=[(CLIP, ""), (BATCH, "")], initial=CLIP, required=False
    )
    audience = forms.ChoiceField(label=gettext_lazy("Who can open it"), choices=Audience.choices, initial=Audience.TEAM)
    team_days = forms.ChoiceField(label=gettext_lazy("Ends after"), required=False)
    anyone_days = forms.ChoiceField(label=gettext_lazy("Ends after"), required=False)
    team_details = forms.BooleanField(required=False, initial=True)
    anyone_details = forms.BooleanField(required=False)
    label = forms.CharField(label=gettext_lazy("Title"), max_length=120, required=False)
    passphrase = forms.CharField(
        label=gettext_lazy("Passphrase"),
        min_length=SHORTEST_PASSPHRASE,
        max_length=LONGEST_PASSPHRASE,
        required=False,
        strip=False,
        error_messages={"min_length": gettext_lazy("Use six characters or more.")},
    )
    allow_download = forms.BooleanField(required=False, initial=True)

    def __init__(self, *args: Any, person: User, task: Task, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person, self.task, self.rules = person, task, HouseRules.now()
        self.batch = sharing.parts(person, task.batch)
        self._set_choices("team_days", day_choices(Audience.TEAM, self.rules), "")
        offered = min(sharing.OFFERED_DAYS, self.rules.anyone_days)
        self._set_choices("anyone_days", day_choices(Audience.ANYONE, self.rules), str(offered))

    def _set_choices(self, name: str, choices: Iterable[tuple[str, str]], initial: str) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices, field.initial = list(choices), initial

    @property
    def why_not_anyone(self) -> str:
        """Why it cannot be opened to anyone, said beside the choice that is not there."""
        return sharing.why_not(self.person, self.task, Audience.ANYONE, self.rules)

    @property
    def widens(self) -> bool:
        return sharing.widens(self.batch)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        audience = cleaned.get("audience")
        if audience and (said := sharing.why_not(self.person, self._thing(), audience, self.rules)):
            self.add_error("audience", said)
        return cleaned

    def save(self) -> tuple[ShareLink, str]:
        """The link and its token. Raises sharing.Refused where the rules changed meanwhile."""
        cleaned = self.cleaned_data
        audience = cleaned["audience"]
        days = cleaned[f"{audience}_days"]
        terms = sharing.Terms(
            audience=audience,
            days=int(days) if days else None,
            label=cleaned["label"],
            passphrase=cleaned["passphrase"],
            allow_download=cleaned["allow_download"],
            show_settings=cleaned[f"{audience}_details"],
        )
        return sharing.make(self.person, self._thing(), terms)

    def refuse(self, error: sharing.Refused) -> None:
        """What ``save`` raised, at its field."""
        field = f"{self.cleaned_data['audience']}_days" if error.field == "days" else error.field
        self.add_error(field or None, error.sentence)

    def refuse_haste(self, locked: limits.Locked) -> None:
        """So many links in so short a time that none is made; what was entered stands."""
        text = ngettext(
            "Too many tries. The next one is possible in %(minutes)s minute.",
            "Too many tries. The next one is possible in %(minutes)s minutes.",
            locked.minutes,
        )
        self.add_error(None, text % {"minutes": locked.minutes})

    def _thing(self) -> sharing.Thing:
        return self.task.batch if self.cleaned_data.get("what") == BATCH else self.task


class ExtendForm(forms.Form):
    """A new end of a link, in days from now."""

    days = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, link: ShareLink, rules: HouseRules, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        days = self.fields["days"]
        assert isinstance(days, forms.ChoiceField)  # noqa: S101 - for the type checker
        days.choices = day_choices(link.audience, rules)

    @property
    def number(self) -> int | None:
        return int(self.cleaned_data["days"]) if self.cleaned_data["days"] else None
