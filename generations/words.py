"""The words and colours of everything that can become of a task: one table for card, page, mail and audit.

English here, other languages by gettext; names of vendors and models, and what a vendor said itself, stay as they are.

A sentence about money is only as sure as its source: "Not charged" is said when the vendor said 0, never because
nothing was heard.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from generations.models import Budget, KeyProblem, KeyState, Period, Task, TaskState
from generations.providers import PROVIDERS, catalog
from generations.providers.base import FailureClass, Unit

Text = str | Promise


@dataclass(frozen=True, slots=True)
class StateWords:
    """``tone`` names a colour (info, ok, warn, bad, muted); ``bar`` a progress bar: none, value or busy."""

    word: Text
    tone: str
    bar: str = "none"


@dataclass(frozen=True, slots=True)
class FailureWords:
    """What happened, what it means, what to do next. ``fix`` is "edit", "again" or "" (nobody here can mend it)."""

    headline: Text
    body: Text
    next_step: Text
    fix: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one task stands right now, ready to be shown."""

    word: str
    tone: str
    bar: str
    detail: str = ""  # a word or two to go with the state
    reason: str = ""  # a sentence, where something is in the way


@dataclass(frozen=True, slots=True)
class CostLine:
    text: str
    tone: str


FOLLOWED = (TaskState.QUEUED, TaskState.PROCESSING)
SILENT_AFTER = 3  # looks in a row that brought no answer

STATES: dict[str, StateWords] = {
    TaskState.WAITING: StateWords(gettext_lazy("Waiting"), "info"),
    TaskState.SUBMITTING: StateWords(gettext_lazy("Sending"), "info", "busy"),
    TaskState.UNCERTAIN: StateWords(gettext_lazy("Checking with the vendor"), "warn", "busy"),
    TaskState.QUEUED: StateWords(gettext_lazy("Queued"), "info", "busy"),
    TaskState.PROCESSING: StateWords(gettext_lazy("Generating"), "info", "value"),
    TaskState.ARCHIVING: StateWords(gettext_lazy("Ready · saving a copy"), "ok", "busy"),
    TaskState.SUCCEEDED: StateWords(gettext_lazy("Ready"), "ok"),
    TaskState.FAILED: StateWords(gettext_lazy("Failed"), "bad"),
    TaskState.CANCELLED: StateWords(gettext_lazy("Cancelled"), "muted"),
    TaskState.LOST: StateWords(gettext_lazy("Result lost"), "bad"),
}

_EDIT = gettext_lazy("Change it and try again.")
_AGAIN = gettext_lazy("Trying the same again may work.")
_ADMIN = gettext_lazy("An administrator has to look at the key.")

FAILURES: dict[str, FailureWords] = {
    FailureClass.USER_INPUT: FailureWords(
        gettext_lazy("The vendor did not accept the settings"),
        gettext_lazy("Something in this request is outside what the model takes."),
        _EDIT,
        "edit",
    ),
    FailureClass.CONTENT_POLICY: FailureWords(
        gettext_lazy("Blocked by the content policy"),
        gettext_lazy("The vendor refused this prompt, a picture or the result."),
        _EDIT,
        "edit",
    ),
    FailureClass.ACCOUNT_AUTH: FailureWords(
        gettext_lazy("This key cannot be used"),
        gettext_lazy("The vendor does not accept the key."),
        _ADMIN,
        "",
    ),
    FailureClass.ACCOUNT_CREDITS: FailureWords(
        gettext_lazy("The key is out of credits"),
        gettext_lazy("The vendor says that nothing is left to pay with."),
        _ADMIN,
        "",
    ),
    FailureClass.ACCOUNT_LIMIT: FailureWords(
        gettext_lazy("Too many clips at once"),
        gettext_lazy("The vendor's limit for this account was reached."),
        _AGAIN,
        "again",
    ),
    FailureClass.THROTTLED: FailureWords(
        gettext_lazy("The vendor is busy"),
        gettext_lazy("It asked us to slow down."),
        _AGAIN,
        "again",
    ),
    FailureClass.PROVIDER_TRANSIENT: FailureWords(
        gettext_lazy("The vendor had an internal error"),
        gettext_lazy("This usually passes by itself."),
        _AGAIN,
        "again",
    ),
    FailureClass.PROVIDER_PERMANENT: FailureWords(
        gettext_lazy("The vendor does not offer this any more"),
        gettext_lazy("The model or the address is gone."),
        gettext_lazy("Choose another model."),
        "edit",
    ),
    FailureClass.PROVIDER_UNKNOWN: FailureWords(
        gettext_lazy("Failed for an unknown reason"),
        gettext_lazy("The vendor gave no reason that we know."),
        _AGAIN,
        "again",
    ),
    FailureClass.NOT_FOUND: FailureWords(
        gettext_lazy("The vendor does not know this task"),
        gettext_lazy("It was sent, but the vendor has no trace of it."),
        _AGAIN,
        "again",
    ),
    FailureClass.AMBIGUOUS_SUBMIT: FailureWords(
        gettext_lazy("The vendor's answer was lost"),
        gettext_lazy("The clip may be under way and may be charged, so it is not sent a second time."),
        gettext_lazy("We keep looking for it."),
        "",
    ),
}
_LOST = FailureWords(
    gettext_lazy("The clip could not be saved"),
    gettext_lazy("It was made, but the vendor's link ended before a copy existed."),
    _AGAIN,
    "again",
)
_UNLISTED = FailureWords(
    gettext_lazy("The vendor's answer was lost"),
    gettext_lazy("The clip may be under way and may be charged, so it is not sent a second time."),
    gettext_lazy("An administrator decides."),
    "",
)
# What only we can say, by failure code, before the class of the failure is asked.
_BY_CODE: dict[str, FailureWords] = {
    "not_created": FailureWords(
        gettext_lazy("The vendor never made it"),
        gettext_lazy("Its answer was lost, and it has no trace of the clip. Not charged."),
        gettext_lazy("You can send it again."),
        "again",
    ),
    "given_up": FailureWords(
        gettext_lazy("Given up"),
        gettext_lazy("The vendor did not know this clip any more. Whether it charged is not confirmed."),
        gettext_lazy("Should it come after all, it is delivered here. You can also make it again."),
        "again",
    ),
    "no_public_address": FailureWords(
        gettext_lazy("The vendor could not be given the pictures"),
        gettext_lazy("It fetches them by an address, and VideoForge has none that it can reach. Nothing was sent."),
        gettext_lazy("An administrator can set VIDEOFORGE_PUBLIC_URL."),
        "",
    ),
}
# Why we ourselves gave up on a call, by failure code; what a vendor said stays in its own words.
_OUR_REASONS: dict[str, Text] = {
    "secret_unreadable": gettext_lazy("The key's secret cannot be decrypted."),
    "input_missing": gettext_lazy("An input image is missing."),
    "no_public_address": gettext_lazy("VIDEOFORGE_PUBLIC_URL is not set, and the vendor fetches pictures by address."),
    "no_remote_id": gettext_lazy("The vendor never named this task."),
    "worker_died": gettext_lazy("The worker stopped before the answer came."),
    "success_without_output": gettext_lazy("The vendor says success and never gave a link."),
    "given_up": gettext_lazy("The vendor did not know this clip any more, so an administrator gave it up."),
}
EVENTS: dict[str, Text] = {
    "cancel-asked": gettext_lazy("Cancelling was asked for"),
    "cancel-accepted": gettext_lazy("The vendor agreed to cancel"),
    "cancel-refused": gettext_lazy("The vendor did not cancel"),
    "asked-now": gettext_lazy("Somebody had the vendor asked at once"),
    "exists-said": gettext_lazy("An administrator named the vendor's id"),
    "exists-refused": gettext_lazy("That id is not this clip's"),
    "not-created": gettext_lazy("The vendor has no trace of it"),
    "resent-at-risk": gettext_lazy("An administrator sends it again and accepts the risk"),
    "made-twice": gettext_lazy("Sent twice, and both were made: the other one stands beside it"),
    "adopted": gettext_lazy("Made outside of VideoForge, and taken into the library"),
    "given-up": gettext_lazy("An administrator gave it up: the vendor does not know it"),
    "charge-corrected": gettext_lazy("The charge was corrected"),
    "late-success": gettext_lazy("The clip came after all"),
    "key-changed": gettext_lazy("Another key sends it"),
    "replaced": gettext_lazy("Changed before it was sent: another clip took its place"),
    "success_without_output": gettext_lazy("The vendor says success and gives no link yet"),
}
_KEY_WAITS: dict[str, Text] = {
    KeyProblem.AUTH: gettext_lazy("Held back: the vendor does not accept the key “%(key)s”"),
    KeyProblem.CREDITS: gettext_lazy("Held back: the key “%(key)s” is out of credits"),
}


def failure_words(task: Task) -> FailureWords | None:
    """What to say of a task that went wrong or may have; None for all others."""
    if task.state == TaskState.LOST:
        return _LOST
    if task.state in (TaskState.FAILED, TaskState.UNCERTAIN):
        if task.state == TaskState.UNCERTAIN and not task.key.translator.can_list:
            return _UNLISTED
        known = _BY_CODE.get(task.failure_code) if task.state == TaskState.FAILED else None
        return known or FAILURES.get(task.failure_class, FAILURES[FailureClass.PROVIDER_UNKNOWN])
    return None


def standing(task: Task, place: int | None = None) -> Standing:
    """``place`` is the task's place in line, if it is known and it waits."""
    words = STATES[task.state]
    if task.state == TaskState.UNCERTAIN and not task.key.translator.can_list:
        reason = f"{_UNLISTED.body} {_UNLISTED.next_step}"
        return Standing(_("Unclear whether it was taken"), words.tone, "none", reason=reason)
    if task.state == TaskState.WAITING:
        moves = task.key.takes_new_work  # where it does not, a place in line would promise something
        tone, detail = (words.tone, place_words(place) if place else "") if moves else ("warn", "")
        return Standing(str(words.word), tone, words.bar, detail, why_waiting(task))
    if task.state in FOLLOWED:
        tone, reason = ("warn", silence(task)) if is_silent(task) else (words.tone, "")
        if task.state == TaskState.QUEUED or task.progress is None:
            return Standing(str(words.word), tone, "busy", reason=reason)
        return Standing(str(words.word), tone, words.bar, f"{task.progress} %", reason)
    trouble = failure_words(task) if task.state == TaskState.UNCERTAIN else None
    return Standing(str(words.word), words.tone, words.bar, reason=str(trouble.body) if trouble else "")


def is_silent(task: Task) -> bool:
    """Whether the vendor has not answered for so long that a person should know."""
    return task.state in FOLLOWED and task.poll_errors >= SILENT_AFTER


def silence(task: Task) -> str:
    since = task.last_polled_at or task.submitted_at
    if since is None:
        return _("Vendor not answering")
    local = timezone.localtime(since)
    said = date_format(local, "H:i")
    if local.date() != timezone.localdate():
        said = f"{date_format(local, pgettext('date format', 'j M'))} {said}"
    return _("Vendor not answering since %(time)s") % {"time": said}


def why_waiting(task: Task) -> str:
    """What holds a task back besides its place in line; a key that cannot be used is cured by no patience."""
    if task.key.problem:
        return str(_KEY_WAITS[task.key.problem]) % {"key": task.key.label}
    if task.key.state != KeyState.ACTIVE:
        return _("Held back: the key “%(key)s” is paused") % {"key": task.key.label}
    if task.failure_class and task.next_try_at and task.next_try_at > timezone.now():
        return _("The vendor is busy; it is tried again by itself")
    return ""


def event_words(kind: str) -> StateWords:
    """A line of the timeline; a kind that has no words yet speaks for itself."""
    return STATES.get(kind) or StateWords(EVENTS.get(kind, kind), "muted")


def failure_text(task: Task) -> str:
    """For staff: our own reason in their language, or the vendor's text as it came."""
    return str(_OUR_REASONS.get(task.failure_code, task.failure_text))


@cache
def _model_labels() -> dict[tuple[str, str], str]:
    offers = [offer for provider in PROVIDERS.values() for offer in (*provider.offers, *provider.experiments)]
    return {(offer.provider, name): offer.label for offer in offers for name in (*offer.wire_ids(), offer.model)}


def model_label(task: Task) -> str:
    """The model's name as people know it: "Vidu Q3 Turbo"; one that left the catalogue keeps its raw name."""
    return _model_labels().get((task.provider, task.model), task.model)


def place_words(place: int) -> str:
    """ "2nd in line": four sentences, because ordinals are not a matter of one suffix in every language."""
    kind = 0 if 11 <= place % 100 <= 13 else place % 10
    sentence = {
        1: pgettext("place in line", "%(place)dst in line"),
        2: pgettext("place in line", "%(place)dnd in line"),
        3: pgettext("place in line", "%(place)drd in line"),
    }.get(kind, pgettext("place in line", "%(place)dth in line"))
    return sentence % {"place": place}


def money(amount: Decimal, unit: str) -> str:
    """An amount with its unit, as in "1,240 credits" or "0.42 USD"."""
    plain = amount.normalize()
    places = max(0, -int(plain.as_tuple().exponent))
    if unit in (Unit.USD, Unit.CNY):
        places = max(2, places)
    return _in_unit(number_format(amount, decimal_pos=places, force_grouping=True), amount, unit)


def over_budget(budget: Budget, left: Decimal) -> str:
    """Why a press was refused, and who can help."""
    told = {"name": name_of_scope(budget), "left": money(left, budget.unit)}
    today = budget.period == Period.DAY
    if budget.key_id:
        said = (
            _("The key “%(name)s” has %(left)s of its budget left today.")
            if today
            else _("The key “%(name)s” has %(left)s of its budget left this month.")
        )
    elif budget.person_id:
        said = (
            _("You have %(left)s of your budget left today.")
            if today
            else _("You have %(left)s of your budget left this month.")
        )
    else:
        said = (
            _("The team “%(name)s” has %(left)s of its budget left today.")
            if today
            else _("The team “%(name)s” has %(left)s of its budget left this month.")
        )
    help_is = _("Nothing was sent. An administrator can raise it.")
    return f"{said % told} {help_is}"


def unpriced(budget: Budget) -> str:
    """Why a press was refused of which nobody knows what it costs."""
    told = {"name": name_of_scope(budget)}
    if budget.key_id:
        said = _("The key “%(name)s” has a budget, and nobody knows yet what such a clip costs: one at a time.")
    elif budget.person_id:
        said = _("You have a budget, and nobody knows yet what such a clip costs: one at a time.")
    else:
        said = _("The team “%(name)s” has a budget, and nobody knows yet what such a clip costs: one at a time.")
    help_is = _("Nothing was sent. An administrator can enter the price.")
    return f"{said % told} {help_is}"


def budget_left(budget: Budget, left: Decimal) -> str:
    """What the composer shows of the tightest budget."""
    told = {"name": name_of_scope(budget), "left": money(left, budget.unit)}
    today = budget.period == Period.DAY
    if budget.key_id:
        said = (
            _("%(left)s left today on the key “%(name)s”")
            if today
            else _("%(left)s left this month on the key “%(name)s”")
        )
    elif budget.person_id:
        said = _("%(left)s left today for you") if today else _("%(left)s left this month for you")
    else:
        said = (
            _("%(left)s left today for the team “%(name)s”")
            if today
            else _("%(left)s left this month for the team “%(name)s”")
        )
    return said % told


def name_of_scope(budget: Budget) -> str:
    """Whose budget it is, by name."""
    if budget.key:
        return budget.key.label
    return budget.person.display_name if budget.person else str(budget.team)


def about_time(seconds: float) -> str:
    """A typical time as people say it: "about 40 s", "about 3 min"."""
    if seconds < 90:
        return _("about %(seconds)d s") % {"seconds": max(5, round(seconds / 5) * 5)}
    return _("about %(minutes)d min") % {"minutes": round(seconds / 60)}


def formula(estimate: catalog.Estimate) -> str:
    """How an estimate came about: "11 × 5 s + 15 = 70 credits, with 15 for sound"."""
    sentences = {"audio": _("%(sum)s, with %(extra)d for sound"), "is_rec": _("%(sum)s, with %(extra)d for the prompt")}
    said = _in_unit(estimate.formula, estimate.amount.amount, estimate.amount.unit)
    for name, extra in estimate.extras.items():
        said = sentences[name] % {"sum": said, "extra": extra}
    return said


def _in_unit(figure: str, amount: Decimal, unit: str) -> str:
    whole = 1 if amount == 1 else 2
    if unit == Unit.CREDIT:
        return ngettext("%(figure)s credit", "%(figure)s credits", whole) % {"figure": figure}
    if unit == Unit.TOKEN:
        return ngettext("%(figure)s token", "%(figure)s tokens", whole) % {"figure": figure}
    return f"{figure} {unit.upper()}"


def cost_line(task: Task) -> CostLine:
    """What the task costs or cost, and how sure that is."""
    if task.charge is not None:
        if task.charge == 0:
            return CostLine(_("Not charged"), "muted")
        return CostLine(_("Charged %(amount)s") % {"amount": money(task.charge, task.unit)}, "muted")
    if not task.is_open or task.state == TaskState.ARCHIVING:
        return CostLine(_("Charge not confirmed"), "warn")
    price = task.price
    if price is None:
        return CostLine(_("Price unknown"), "muted")
    held = {"amount": money(price.amount, price.unit)}
    if task.state == TaskState.UNCERTAIN:
        return CostLine(_("%(amount)s held, may be charged") % held, "warn")
    if task.quote is not None:
        return CostLine(_("%(amount)s held") % held, "muted")
    return CostLine(_("About %(amount)s") % held, "muted")


def news(tasks: list[Task]) -> str:
    """One short sentence about tasks that just ended, for the live region; "" when none did."""
    ready = sum(task.state == TaskState.SUCCEEDED for task in tasks)
    failed = sum(task.state in (TaskState.FAILED, TaskState.LOST) for task in tasks)
    parts = []
    if ready:
        parts.append(ngettext("%(count)d clip ready", "%(count)d clips ready", ready) % {"count": ready})
    if failed:
        parts.append(ngettext("%(count)d failed", "%(count)d failed", failed) % {"count": failed})
    return pgettext("between parts of a sentence", ", ").join(parts)
