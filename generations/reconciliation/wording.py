"""What was found, in sentences: the pages and the command say the same."""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from django.db.models import Count, F, Sum
from django.db.models.functions import Abs, Coalesce
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from generations import words
from generations.alert_words import why_not_compared
from generations.models import Difference, DifferenceKind, DifferenceState, Reconciliation, RunState

Text = str | Promise

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
    if run.is_explained:
        return _explained(run), "ok"
    return still_open(run), "warn"


def _explained(run: Reconciliation) -> str:
    """As much as is true: what was left, was not seen or cannot be seen is not called the same."""
    number, amounts = left(run)
    if number:
        return _but_for_left(number, amounts)
    if run.unlisted:
        return _("Explained but for the last hour: what was booked in it need not be in the vendor's list yet.")
    if run.forgotten:
        said = ngettext(
            "Both books say the same, as far as the vendor remembers: what was booked for %(count)d clip"
            " cannot be checked any more.",
            "Both books say the same, as far as the vendor remembers: what was booked for %(count)d clips"
            " cannot be checked any more.",
            run.forgotten,
        )
        return said % {"count": run.forgotten}
    if run.unconfirmed:
        return _("Both books say the same, as far as the vendor tells what its clips cost.")
    if not run.lists:
        return _("Explained to the last amount of what was sent from here: both books say the same of it.")
    return _("Explained to the last amount: both books say the same.")


def left(run: Reconciliation) -> tuple[int, str]:
    """How many differences of it were left as they are, and how far the books differ by them, as far as is known."""
    gap = Abs(F("theirs") - Coalesce(F("ours"), Decimal(0)))
    rows = run.left_as_it_is.order_by("unit").values_list("unit")
    found = list(rows.annotate(number=Count("pk"), sum=Sum(gap)))
    told = [words.money(amount, unit) for unit, _number, amount in found if amount]
    return sum(number for _unit, number, _amount in found), pgettext("between parts of a sentence", ", ").join(told)


def _but_for_left(number: int, amounts: str) -> str:
    told = {"count": number, "amount": amounts}
    if amounts:
        said = ngettext(
            "Explained; %(count)d difference was left as it is (%(amount)s).",
            "Explained; %(count)d differences were left as they are (%(amount)s).",
            number,
        )
    else:
        said = ngettext(
            "Explained; %(count)d difference was left as it is.",
            "Explained; %(count)d differences were left as they are.",
            number,
        )
    return said % told


def short(run: Reconciliation, number: int, kept: int = 0) -> tuple[str, str]:
    """A word for a list of runs, with its tone; ``number`` differences of it are open, and ``kept`` were left."""
    match run.state:
        case RunState.COMPLETE if number or run.lost:
            said = ngettext("%(count)d open", "%(count)d open", number + run.lost)
            return said % {"count": number + run.lost}, "warn"
        case RunState.COMPLETE if kept:
            return ngettext("Explained, %(count)d left", "Explained, %(count)d left", kept) % {"count": kept}, "ok"
        case RunState.COMPLETE if run.unlisted:
            return _("Explained but for the last hour"), "ok"
        case RunState.COMPLETE if run.forgotten or run.unconfirmed:
            return _("Explained as far as the vendor tells"), "ok"
        case RunState.COMPLETE if not run.lists:
            return _("Explained, of what was sent from here"), "ok"
        case RunState.COMPLETE:
            return _("Explained"), "ok"
        case RunState.INCOMPLETE:
            return run.get_state_display(), "warn"
        case RunState.FAILED:
            return run.get_state_display(), "bad"
    return run.get_state_display(), "info"


def with_badges(runs: Iterable[Reconciliation]) -> list[Reconciliation]:
    """Runs as ``with_open`` brings them, each with its ``badge``."""
    found = list(runs)
    for run in found:
        run.badge = short(run, run.still_open, run.left)  # type: ignore[attr-defined]
    return found


def why(run: Reconciliation) -> str:
    return why_not_compared(run.error)


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
        (left(run)[0], *_LEFT),
        (run.unlisted, *_UNLISTED),
        (run.confirmed, *_CONFIRMED),
        (run.unconfirmed, *_UNCONFIRMED),
        (run.forgotten, *_FORGOTTEN),
        (run.unread, *_UNREAD),
        (run.elsewhere, *_ELSEWHERE),
    ):
        if number:
            said.append((one if number == 1 else many) % {"count": number})
    return [str(each) for each in said]


_LEFT = (
    gettext_lazy("%(count)d difference was left as it is, with a reason."),
    gettext_lazy("%(count)d differences were left as they are, with a reason."),
)
_UNLISTED = (
    gettext_lazy("%(count)d clip of the hour before was booked and is not in the vendor's list yet."),
    gettext_lazy("%(count)d clips of the hour before were booked and are not in the vendor's list yet."),
)
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


def facts(difference: Difference) -> Iterator[str]:
    """What is on record about it, a line each, for a reader who knows no JSON."""
    known = difference.facts
    for name, word in _FACTS.items():
        if told := known.get(name):
            yield f"{word}: {_FACT_WORDS[name](told) if name in _FACT_WORDS else told}"


def decision(how: str) -> str:
    return str(DECISIONS.get(how, how))


def _moment(text: str) -> str:
    at = parse_datetime(str(text))
    return date_format(timezone.localtime(at), "Y-m-d H:i") if at else str(text)


_FACTS: dict[str, Text] = {
    "model": gettext_lazy("Model"),
    "mode": gettext_lazy("Kind of clip"),
    "seconds": gettext_lazy("Seconds"),
    "prompt_length": gettext_lazy("Characters of prompt"),
    "key_id": gettext_lazy("The vendor's name for the key"),
    "state": gettext_lazy("The vendor says"),
    "here": gettext_lazy("Here"),
    "from": gettext_lazy("From"),
    "at": gettext_lazy("Time"),
    "how": gettext_lazy("Decided"),
    "reason": gettext_lazy("Reason"),
}
DECISIONS: dict[str, Text] = {
    "book": gettext_lazy("booked"),
    "release": gettext_lazy("released"),
    "top-up": gettext_lazy("recorded as bought"),
    "keep": gettext_lazy("left as it is"),
}
_FACT_WORDS: dict[str, Callable[[str], str]] = {
    "state": state_word,
    "here": lambda state: str(words.STATES[state].word) if state in words.STATES else state,
    "from": _moment,
    "at": _moment,
    "how": decision,
}
