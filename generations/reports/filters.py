"""What is asked of a report, read from an address and written back into one. What cannot be read is said."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generations import totals
from generations.ledger import SPENT
from generations.models import EntryKind, ProviderKey, TaskState, User
from generations.models.tasks import MODE_CHOICES, UNIT_CHOICES
from generations.providers import PROVIDERS
from generations.reports import labels
from generations.reports.spans import MONTH, MOST_DAYS, OWN, Span, Unclear

NONE = "-"  # in an address: those rows that have none, as what others spent on a key has no person
FIGURES, FAILURES, ESTIMATES = "", "failures", "estimates"
VIEWS = (FIGURES, FAILURES, ESTIMATES)
GROUPS = (
    ("key", gettext_lazy("Key")),
    ("day", gettext_lazy("Day")),
    ("month", gettext_lazy("Month")),
    ("person", gettext_lazy("Person")),
    ("vendor", gettext_lazy("Vendor")),
    ("model", gettext_lazy("Model")),
    ("mode", gettext_lazy("Mode")),
    ("state", gettext_lazy("State")),
)
TIMES = ("day", "month")
BY_DEFAULT = {FIGURES: ("key", ""), FAILURES: ("key", "state"), ESTIMATES: ("model", "")}
UNCONFIRMED = "unconfirmed"
# Of a list of clips: any charge, nothing, something, ...; compared: with an estimate in the charge's unit.
CHARGES = ("", "none", "some", "known", "compared", UNCONFIRMED)
CLIPS = "clips"  # the kind of list that is not one of ledger rows
People = Mapping[int, User]


def sees_everybody(user: User) -> bool:
    """Staff, and members who were given the right."""
    return user.is_staff or user.has_perm("generations.view_team_usage")


@dataclass(frozen=True, slots=True)
class Filters:
    """``only`` is the one person whose rows may be seen at all, None for all. Empty fields filter nothing."""

    span: Span
    only: int | None
    view: str = FIGURES
    by: str = "key"
    then: str = ""
    key: str = ""
    person: str = ""
    vendor: str = ""
    model: str = ""
    mode: str = ""
    state: str = ""
    unit: str = ""
    kinds: tuple[str, ...] = ()
    charge: str = ""
    list_of: str = ""
    keys: Mapping[int, ProviderKey] = field(default_factory=dict, compare=False)
    people: People = field(default_factory=dict, compare=False)

    @classmethod
    def read(cls, data: QueryDict, user: User) -> "Filters":
        """Raises Unclear with a sentence where something was asked that cannot be answered."""
        span = Span.read(data.get("period", ""), data.get("from", ""), data.get("to", ""))
        keys = {key.pk: key for key in ProviderKey.objects.defer("secret_cipher", "options", "note")}
        only = None if sees_everybody(user) else user.pk
        people = User.objects.order_by("-is_active", "username") if only is None else [user]
        view = _one_of(data, "view", VIEWS)
        by, then = _groups(data, view)
        wanted = cls(
            span=span, only=only, view=view, by=by, then=then,
            keys=keys, people={person.pk: person for person in people},
            vendor=_one_of(data, "vendor", ("", *PROVIDERS)),
            model=data.get("model", "").replace("\0", "")[:60],
            mode=_one_of(data, "mode", ("", NONE, *dict(MODE_CHOICES))),
            state=_one_of(data, "state", ("", *totals.ENDED)),
            unit=_one_of(data, "unit", ("", *dict(UNIT_CHOICES))),
            charge=_one_of(data, "charge", CHARGES),
            list_of=CLIPS if data.get("list") == CLIPS else "",
            kinds=tuple(kind for kind in data.getlist("kind") if _known(kind, EntryKind.values)),
        )  # fmt: skip
        return replace(wanted, key=wanted._key(data), person=wanted._person(data))

    def _key(self, data: QueryDict) -> str:
        key = data.get("key", "")
        if key and key not in map(str, self.keys):
            raise Unclear(_("There is no such key. Choose one of the list."))
        return key

    def _person(self, data: QueryDict) -> str:
        person = data.get("person", "")
        if self.only is not None and person not in ("", str(self.only)):
            raise Unclear(_("These are somebody else's figures. You can see your own."))
        if person not in ("", NONE) and person not in map(str, self.people):
            raise Unclear(_("There is no such person. Choose one of the list."))
        return person

    # --- What it stands for ---------------------------------------------------------------------------------

    @property
    def of_tasks_alone(self) -> bool:
        """Whether only clips that ended are counted: the ledger's rows know no state and no estimate."""
        return bool(self.state) or self.view != FIGURES or "state" in self.groups

    @property
    def of_clips(self) -> bool:
        """Whether clips lie under it: they count by their end, and of the ledger the rows of exactly these."""
        return bool(self.list_of or self.charge) or self.of_tasks_alone

    @property
    def in_bars(self) -> dict[str, Any]:
        """What a list of rows must be narrowed by, so that it has what bars and colours are about, and no more."""
        if not self.of_tasks_alone:
            return {"kinds": tuple(map(str, SPENT))}
        return {"list_of": CLIPS, "charge": {FAILURES: "", ESTIMATES: "compared"}.get(self.view, "some")}

    @property
    def groups(self) -> tuple[str, ...]:
        """By what; a report by day over too long a time is one by month."""
        found = (self.by, self.then) if self.then else (self.by,)
        return tuple(dict.fromkeys("month" if each == "day" and self.too_long else each for each in found))

    @property
    def too_long(self) -> bool:
        return "day" in (self.by, self.then) and self.span.days > MOST_DAYS

    @property
    def states(self) -> tuple[str, ...]:
        """Of the clips that count; empty: all that ended."""
        if self.state:
            return (self.state,)
        return (TaskState.FAILED, TaskState.LOST) if self.view == FAILURES else ()

    def rows(self, person: str = "person", key: str = "key") -> Q:
        """In any table with a key, a person, a model, a mode and a unit: the rows that are asked for."""
        found = Q() if self.only is None else Q(**{person: self.only})
        if self.person:
            found &= Q(**{f"{person}__isnull": True}) if self.person == NONE else Q(**{person: int(self.person)})
        if self.key:
            found &= Q(**{key: int(self.key)})
        if self.vendor:
            found &= Q(**{f"{key}__in": [pk for pk, each in self.keys.items() if each.provider == self.vendor]})
        for name in ("model", "mode", "unit"):
            if value := getattr(self, name):
                found &= Q(**{name: "" if value == NONE else value})
        return found

    # --- Back into an address -------------------------------------------------------------------------------

    @property
    def query(self) -> str:
        return self.with_(person=self.person)

    def as_report(self) -> "Filters":
        """Without what narrows lists of rows alone: a report has no field that would show it."""
        return replace(self, kinds=(), charge="", unit="", list_of="")

    def with_(self, **changes: Any) -> str:
        """The address's end for these filters with some of them changed."""
        changed = replace(self, **changes)
        span, fields = changed.span, {}
        if span.preset != MONTH:
            fields["period"] = span.preset
        if span.preset == OWN:
            fields |= {"from": span.first.isoformat(), "to": span.last.isoformat()}
        by, then = BY_DEFAULT[changed.view]
        if (changed.by, changed.then) != (by, then):
            fields |= {"by": changed.by, "then": changed.then or NONE}
        names = ("view", "key", "person", "vendor", "model", "mode", "state", "unit", "charge")
        fields |= {name: getattr(changed, name) for name in names if getattr(changed, name)}
        fields |= {"list": changed.list_of} if changed.list_of else {}
        return urlencode([*fields.items(), *(("kind", kind) for kind in changed.kinds)])

    def under(self, values: Mapping[str, Any], **changes: Any) -> str:
        """The address's end for what lies under one line of a report, as a list of rows."""
        by, then = BY_DEFAULT[self.view]
        found: dict[str, Any] = {"by": by, "then": then, **changes}
        for name, value in values.items():
            if name == "day":
                found["span"] = self.span.of_day(value)
            elif name == "month":
                found["span"] = self.span.of_month(value)
            else:
                found[name] = NONE if value in (None, "") else str(value)
        if "span" in found and {"day", "month"} <= set(values):
            found["span"] = self.span.of_day(values["day"])
        return self.with_(**found)

    def told(self) -> dict[str, str]:
        """For the record of an export: the filters by name, without those that filter nothing."""
        names = ("view", "key", "person", "vendor", "model", "mode", "state", "unit", "charge")
        found = {name: getattr(self, name) for name in names if getattr(self, name)}
        if self.of_clips:
            found["list"] = CLIPS
        if self.only is not None:
            found["person"] = str(self.only)
        return found | ({"kind": " ".join(self.kinds)} if self.kinds else {})

    def label(self, group: str, value: Any) -> str:
        return labels.label(group, value, self.keys, self.people)


def _one_of(data: QueryDict, name: str, known: tuple[str, ...]) -> str:
    value = data.get(name, "")
    if value not in ("", *known):
        raise Unclear(_("“%(value)s” is not in the list of this filter.") % {"value": value[:40]})
    return value


def _known(value: str, known: list[str]) -> bool:
    if value not in known:
        raise Unclear(_("“%(value)s” is not in the list of this filter.") % {"value": value[:40]})
    return True


def _groups(data: QueryDict, view: str) -> tuple[str, str]:
    """By what the lines are; "-" for the second means: by nothing more."""
    known = tuple(dict(GROUPS))
    by, then = _one_of(data, "by", known), _one_of(data, "then", (*known, NONE))
    first, second = BY_DEFAULT[view]
    if not by and not then:
        return first, second
    by, then = by or first, "" if then == NONE else then
    return by, "" if then == by else then
