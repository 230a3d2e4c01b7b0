"""What an alert says, in the language of whoever reads it: what happened, whether it cost anything, what to do."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from generations.models import Alert, AlertKind, KeyProblem
from generations.words import money, name_of_scope

Text = str | Promise


def alert_words(alert: Alert) -> tuple[str, str]:
    """A subject of a few words, and one or two sentences."""
    facts: dict[str, Any] = alert.facts if isinstance(alert.facts, dict) else {}
    kind = AlertKind(alert.kind)
    subject, body = _SAYS[kind](alert, facts)
    return subject, body


def _label(alert: Alert) -> str:
    return alert.key.label if alert.key else _("a key that is gone")


def _amount(text: object, unit: str) -> str:
    try:
        return money(Decimal(str(text)), unit)
    except InvalidOperation:
        return str(text)


def _day(text: object) -> str:
    try:
        return date_format(date.fromisoformat(str(text)), "DATE_FORMAT")
    except ValueError:
        return str(text)


def _moment(text: object) -> str:
    try:
        return date_format(timezone.localtime(datetime.fromisoformat(str(text))), "Y-m-d H:i")
    except ValueError:
        return str(text)


def _budget(alert: Alert, facts: dict[str, Any], then: str) -> tuple[str, str]:
    budget = alert.budget
    name = name_of_scope(budget) if budget else _label(alert)
    unit = budget.unit if budget else "credit"
    told = {
        "name": name,
        "percent": facts.get("percent", "?"),
        "used": _amount(facts.get("used", ""), unit),
        "limit": _amount(facts.get("limit", ""), unit),
    }
    subject = _("Budget of %(name)s: %(percent)s %% used") % told
    body = _("%(used)s of %(limit)s are spent or held.") % told
    return subject, f"{body} {then}"


def _warn(alert: Alert, facts: dict[str, Any]) -> tuple[str, str]:
    return _budget(alert, facts, _("New clips are still taken."))


def _block(alert: Alert, facts: dict[str, Any]) -> tuple[str, str]:
    if facts.get("refused"):
        return _budget(alert, facts, _("A clip did not fit into the rest and was refused. Raise the budget, or wait."))
    return _budget(
        alert, facts, _("New clips are refused now; what runs goes on. Raise the budget, or wait for the next period.")
    )


def _failing(alert: Alert, facts: dict[str, Any]) -> tuple[str, str]:
    told = {"key": _label(alert), "problem": dict(KeyProblem.choices).get(facts.get("problem", ""), "")}
    body = _("%(problem)s. New clips wait or go to another key of this vendor; nothing was lost.") % told
    return _("Key %(key)s is failing") % told, f"{body} {facts.get('error', '')}".strip()


def _expires(alert: Alert, facts: dict[str, Any]) -> tuple[str, str]:
    told = {"key": _label(alert), "on": _day(facts.get("on"))}
    return _("Key %(key)s expires on %(on)s") % told, _("Rotate it before: the old one finishes what it has.")


def _external(alert: Alert, facts: dict[str, Any]) -> tuple[str, str]:
    number = int(facts.get("number", 0))
    told = {"number": number, "key": _label(alert), "amount": _amount(facts.get("amount", ""), facts.get("unit", ""))}
    subject = _("Key %(key)s is used from elsewhere") % told
    body = (
        ngettext(
            "%(number)d task on key %(key)s was not made here: %(amount)s.",
            "%(number)d tasks on key %(key)s were not made here: %(amount)s.",
            number,
        )
        % told
    )
    next_step = _("Book them as external use, or take them into the library.")
    return subject, f"{body} {next_step}"


def _unexplained(alert: Alert, facts: dict[str, Any]) -> tuple[str, str]:
    number = int(facts.get("number", 0))
    told = {"number": number, "key": _label(alert)}
    body = ngettext(
        "%(number)d difference between the vendor's list and our ledger waits for a decision.",
        "%(number)d differences between the vendor's list and our ledger wait for a decision.",
        number,
    )
    return _("Key %(key)s: credits unexplained") % told, body % told


def _at_risk(alert: Alert, facts: dict[str, Any]) -> tuple[str, str]:
    number = int(facts.get("number", 0))
    told = {"number": number, "deadline": _moment(facts.get("deadline"))}
    subject = ngettext("%(number)d copy at risk", "%(number)d copies at risk", number) % told
    return subject, _(
        "The first link dies at %(deadline)s. The worker goes on trying: look at disk, network and the operations page."
    ) % told


def _unconfirmed(alert: Alert, facts: dict[str, Any]) -> tuple[str, str]:
    number = int(facts.get("number", 0))
    told = {"number": number, "oldest": _day(facts.get("oldest"))}
    subject = ngettext("%(number)d charge not confirmed", "%(number)d charges not confirmed", number) % told
    return subject, _(
        "The vendor has said for more than a week nothing of what they cost (the oldest ended on %(oldest)s). "
        "Compare with the vendor's console and enter the charge."
    ) % told


def _silent(alert: Alert, facts: dict[str, Any]) -> tuple[str, str]:
    if not facts.get("until"):
        return _("The worker is silent"), _(
            "Since %(since)s nothing is sent, asked or copied. It was started anew without success: look at its log."
        ) % {"since": _moment(facts.get("since"))}
    told = {"since": _moment(facts.get("since")), "until": _moment(facts.get("until"))}
    return _("The worker was silent"), _(
        "From %(since)s to %(until)s nothing was sent, asked or copied. What waited goes on now."
    ) % told


def _running_out(alert: Alert, facts: dict[str, Any]) -> tuple[str, str]:
    unit = alert.key.translator.unit if alert.key else ""
    if "ending" in facts:
        package = {"key": _label(alert), "left": _amount(facts["ending"], unit), "on": _day(facts.get("on"))}
        subject = _("Key %(key)s: a package ends on %(on)s") % package
        return subject, _("%(left)s of it are left, and are lost at the vendor if nobody uses them before.") % package
    told = {"key": _label(alert), "left": _amount(facts.get("balance", ""), unit), "on": _day(facts.get("on"))}
    subject = _("Key %(key)s: %(left)s left") % told
    return subject, _("At the pace of the last days it lasts until %(on)s. Then new clips wait.") % told


def _repaired(alert: Alert, facts: dict[str, Any]) -> tuple[str, str]:
    told = {"number": int(facts.get("number", 0)), "first": facts.get("first", "")}
    body = ngettext(
        "%(number)d sum was not what its rows say and was set right; the ledger is untouched. First: %(first)s",
        "%(number)d sums were not what their rows say and were set right; the ledger is untouched. First: %(first)s",
        told["number"],
    )
    return _("Sums of the reports were repaired"), body % told


def _open_links(_alert: Alert, facts: dict[str, Any]) -> tuple[str, str]:
    number = int(facts.get("number", 0))
    people = ", ".join(f"{name} ({count})" for name, count in facts.get("by", []))
    told = {"number": number, "people": people, "last": _day(facts.get("last"))}
    subject = ngettext("%(number)d link is open to anyone", "%(number)d links are open to anyone", number) % told
    return subject, _(
        "Made by %(people)s. The last one ends on %(last)s. The list of share links can revoke them."
    ) % told


_WHY_NOT_COMPARED: dict[str, Text] = {
    "repeats": gettext_lazy("The list repeats itself and has no end."),
    "ends_early": gettext_lazy("The list ends before its last page."),
    "too_long": gettext_lazy("The list has more pages than are read in one run. Choose fewer days."),
    "silent": gettext_lazy("The vendor did not answer a page of its list, or not in a way that can be read."),
    "unread": gettext_lazy("Some of the vendor's answers could not be read."),
    "lacks_known": gettext_lazy("The list lacks clips that the vendor knows when asked for one by one."),
    "refused": gettext_lazy("The vendor refused the key."),
    "broke": gettext_lazy("The comparison broke off. The log says where."),
}


def why_not_compared(error: str) -> str:
    """What was in the way of a comparison, which a run keeps as a word and what the vendor said to it."""
    name, _colon, said = error.partition(": ")
    sentence = str(_WHY_NOT_COMPARED.get(name, name))
    return f"{sentence} ({said})" if said else sentence


def _not_compared(alert: Alert, facts: dict[str, Any]) -> tuple[str, str]:
    said = _("The nightly comparison with the vendor did not come to its end, so nothing may be called explained.")
    return _("Key %(key)s was not compared") % {
        "key": _label(alert)
    }, f"{said} {why_not_compared(facts.get('why', ''))}"


_SAYS: dict[AlertKind, Callable[[Alert, dict[str, Any]], tuple[str, str]]] = {
    AlertKind.BUDGET_WARN: _warn,
    AlertKind.BUDGET_BLOCK: _block,
    AlertKind.KEY_FAILING: _failing,
    AlertKind.KEY_EXPIRES: _expires,
    AlertKind.EXTERNAL_USE: _external,
    AlertKind.UNEXPLAINED: _unexplained,
    AlertKind.AT_RISK: _at_risk,
    AlertKind.UNCONFIRMED: _unconfirmed,
    AlertKind.WORKER_SILENT: _silent,
    AlertKind.RUNNING_OUT: _running_out,
    AlertKind.TOTALS_REPAIRED: _repaired,
    AlertKind.OPEN_LINKS: _open_links,
    AlertKind.NOT_COMPARED: _not_compared,
}
