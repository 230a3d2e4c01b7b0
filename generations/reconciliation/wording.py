"""What was found, in sentences: the pages and the command say the same."""

from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from generations import words
from generations.models import Difference, DifferenceKind, DifferenceState, Reconciliation, RunState

Text = str | Promise

_WHY: dict[str, Text] = {
    "repeats": gettext_lazy("The list repeats itself and has no end."),
    "ends_early": gettext_lazy("The list ends before its last page."),
    "too_long": gettext_lazy("The list has more pages than are read in one run. Choose fewer days."),
    "silent": gettext_lazy("The vendor did not answer a page of its list, or not in a way that can be read."),
    "unread": gettext_lazy("Some of the vendor's answers could not be read."),
    "lacks_known": gettext_lazy("The list lacks clips that the vendor knows when asked for one by one."),
    "refused": gettext_lazy("The vendor refused the key."),
    "broke": gettext_lazy("The comparison broke off. The log says where."),
}
CANNOT: dict[str, Text] = {
    "": gettext_lazy("Nothing was changed: that cannot be done about it now."),
    "changed": gettext_lazy("Nothing was changed: the amounts are others by now. Look at them again."),
    "under way": gettext_lazy("Nothing was changed: the clip has not ended, and is booked by itself when it has."),
    "reason": gettext_lazy("Nothing was changed: say why it is left as it is."),
}
KINDS: dict[str, Text] = {
    DifferenceKind.AMOUNT: gettext_lazy("Amount differs"),
    DifferenceKind.STATE: gettext_lazy("State differs"),
    DifferenceKind.THEIRS: gettext_lazy("Not made here"),
    DifferenceKind.OURS: gettext_lazy("Not in the vendor's list"),
    DifferenceKind.BALANCE: gettext_lazy("Balance moved otherwise"),
}


def money(amount: Decimal | None, unit: str) -> str:
    return words.money(amount, unit) if amount is not None else _("an unknown amount")


def verdict(run: Reconciliation) -> tuple[str, str]:
    """In one sentence what came of a run, with its tone."""
    match run.state:
        case RunState.WAITING:
            return _("It waits for the worker."), "muted"
        case RunState.RUNNING:
            return _("The two books are being compared."), "info"
        case RunState.FAILED:
            return _("It failed, so nothing is known. %(why)s") % {"why": why(run)}, "bad"
        case RunState.INCOMPLETE:
            return _("Not read to the end, so nothing may be called explained. %(why)s") % {"why": why(run)}, "warn"
    if run.is_explained and run.forgotten:
        said = ngettext(
            "Both books say the same, as far as the vendor remembers: what was booked for %(count)d clip"
            " cannot be checked any more.",
            "Both books say the same, as far as the vendor remembers: what was booked for %(count)d clips"
            " cannot be checked any more.",
            run.forgotten,
        )
        return said % {"count": run.forgotten}, "ok"
    if run.is_explained and run.unconfirmed:
        return _("Both books say the same, as far as the vendor tells what its clips cost."), "ok"
    if run.is_explained:
        return _("Explained to the last amount: both books say the same."), "ok"
    return still_open(run), "warn"


def short(run: Reconciliation, number: int) -> tuple[str, str]:
    """A word for the list of runs, with its tone; ``number`` differences of it are open."""
    match run.state:
        case RunState.COMPLETE if number or run.lost:
            return ngettext("%(count)d open", "%(count)d open", number + run.lost) % {
                "count": number + run.lost
            }, "warn"
        case RunState.COMPLETE if not run.is_explained:
            return _("Found again later"), "warn"
        case RunState.COMPLETE if run.forgotten or run.unconfirmed:
            return _("Explained as far as the vendor tells"), "ok"
        case RunState.COMPLETE:
            return _("Explained"), "ok"
        case RunState.INCOMPLETE:
            return run.get_state_display(), "warn"
        case RunState.FAILED:
            return run.get_state_display(), "bad"
    return run.get_state_display(), "info"


def why(run: Reconciliation) -> str:
    name, _colon, said = run.error.partition(": ")
    sentence = str(_WHY.get(name, name))
    return f"{sentence} ({said})" if said else sentence


def still_open(run: Reconciliation) -> str:
    number = run.seen.filter(state=DifferenceState.OPEN).count()
    parts = []
    if number:
        said = ngettext("%(count)d difference is open.", "%(count)d differences are open.", number)
        parts.append(said % {"count": number})
    if run.lost:
        said = ngettext(
            "%(count)d clip is unclear: its answer was lost, and an administrator decides.",
            "%(count)d clips are unclear: their answers were lost, and an administrator decides.",
            run.lost,
        )
        parts.append(said % {"count": run.lost})
    return " ".join(parts) or _("Some of what it found may be open still: a later comparison has found it again.")


def notes(run: Reconciliation) -> list[str]:
    """What else a reader has to know of a run."""
    said = []
    if not run.lists:
        said.append(
            _("Full list not available from this vendor: each clip sent from here was asked about, one by one.")
            + " "
            + _("What others made with this key cannot be seen.")
        )
    for number, one, many in (
        (run.confirmed, *_CONFIRMED),
        (run.unconfirmed, *_UNCONFIRMED),
        (run.forgotten, *_FORGOTTEN),
        (run.unread, *_UNREAD),
        (run.elsewhere, *_ELSEWHERE),
    ):
        if number:
            said.append((one if number == 1 else many) % {"count": number})
    return [str(each) for each in said]


_CONFIRMED = (
    gettext_lazy("%(count)d charge that was not confirmed is known now and was booked."),
    gettext_lazy("%(count)d charges that were not confirmed are known now and were booked."),
)
_UNCONFIRMED = (
    gettext_lazy("%(count)d charge is not confirmed: the vendor does not say what the clip cost."),
    gettext_lazy("%(count)d charges are not confirmed: the vendor does not say what these clips cost."),
)
_FORGOTTEN = (
    gettext_lazy("%(count)d clip is not known to the vendor any more."),
    gettext_lazy("%(count)d clips are not known to the vendor any more."),
)
_UNREAD = (
    gettext_lazy("%(count)d answer could not be read or had to be left out."),
    gettext_lazy("%(count)d answers could not be read or had to be left out."),
)
_ELSEWHERE = (
    gettext_lazy("%(count)d clip in the list was made with another key of the account and is not counted here."),
    gettext_lazy("%(count)d clips in the list were made with other keys of the account and are not counted here."),
)


def sentence(difference: Difference) -> str:
    """What was found, and whether it cost anything."""
    told = {"ours": money(difference.ours, difference.unit), "theirs": money(difference.theirs, difference.unit)}
    told |= {"state": state_word(str(difference.facts.get("state", "")))}
    match difference.kind:
        case DifferenceKind.AMOUNT if difference.theirs is None:
            return _("Booked here: %(ours)s. What the vendor says is no amount.") % told
        case DifferenceKind.AMOUNT:
            return _("Booked here: %(ours)s. The vendor says %(theirs)s.") % told
        case DifferenceKind.THEIRS if difference.theirs is None:
            return _("Nobody made it here, and the vendor has not said what it costs: %(state)s.") % told
        case DifferenceKind.THEIRS:
            return _("Nobody made it here. The vendor charged %(theirs)s: %(state)s.") % told
        case DifferenceKind.OURS:
            return _("Booked or held here: %(ours)s. The vendor does not have it.") % told
        case DifferenceKind.STATE if difference.facts.get("late"):
            return _("It had ended here, and came after all. It is saved and booked: %(theirs)s.") % told
        case DifferenceKind.STATE:
            return _("It stands differently here; the vendor says: %(state)s.") % told
        case DifferenceKind.BALANCE if (difference.theirs or 0) < (difference.ours or 0):
            said = _("The balance fell by %(theirs)s, less than the %(ours)s booked: some were bought or given back.")
            return said % told
    return _("The balance fell by %(theirs)s, and %(ours)s were booked. What took the rest is not known.") % told


STATES: dict[str, Text] = {
    "queued": gettext_lazy("it waits"),
    "processing": gettext_lazy("it still runs"),
    "succeeded": gettext_lazy("made"),
    "failed": gettext_lazy("failed"),
    "cancelled": gettext_lazy("cancelled"),
}


def state_word(state: str) -> str:
    return str(STATES.get(state, state or "–"))
