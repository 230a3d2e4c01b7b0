"""What administrators should hear of, once each: budgets, keys, copies, charges, balances. Telling is ``delivery``'s.

``once`` names what an alert is about and in which period, so that a trouble that lasts is told again tomorrow and not
every minute.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from generations import budgets, leases, saving, sharing, standings, totals
from generations.models import (
    Alert,
    AlertKind,
    Audience,
    BalanceReading,
    Budget,
    Difference,
    DifferenceState,
    HouseRules,
    KeyProblem,
    KeyState,
    ProviderKey,
    Reconciliation,
    ShareLink,
    Task,
)
from generations.queue import enqueue

log = logging.getLogger("videoforge.alerts")

LOOK_EVERY = 60.0  # seconds
SILENT_FOR = timedelta(minutes=5)
UNCONFIRMED_FOR = timedelta(days=7)
EXPIRES_WITHIN = timedelta(days=14)
PACE_OVER = timedelta(days=7)  # what an account used lately says how long the rest will last
RUNS_OUT_WITHIN = timedelta(days=7)
PACKAGE_ENDS_WITHIN = timedelta(days=14)
AT_RISK_EVERY_HOURS = 4
LOOK_BACK = timedelta(minutes=10)  # into a budget's period that has just ended


def raise_alert(kind: AlertKind, once: str, *, key: ProviderKey | None = None, **fields: Any) -> Alert | None:
    """Write an alert down and have it told; None when it was told before. ``facts`` are plain texts and numbers."""
    if Alert.objects.filter(once=once).exists():
        return None
    try:
        with transaction.atomic():
            alert = Alert.objects.create(kind=kind, once=once, key=key, **fields)
            enqueue("deliver_alert", alert.pk)
    except IntegrityError:  # somebody else saw it at this moment
        return None
    log.warning("alert: %s %s", kind.value, once)
    return alert


def look() -> None:
    """Once a minute: look at everything that can be wrong. Each part stands alone."""
    if not leases.seize("alerts", "sweep", LOOK_EVERY):
        return
    for part in (
        _budgets, _keys, _expiring_keys, _copies_at_risk, _unconfirmed, _balances, _open_links, _due_again,
    ):  # fmt: skip
        try:
            part()
        except Exception:
            log.exception("alerts: %s", part.__name__)


# --- Money ---------------------------------------------------------------------------------------------------


def _budgets() -> None:
    """Each threshold speaks once a period, and whoever crosses both at once hears of the second alone."""
    active = Budget.objects.filter(active=True).select_related("key", "person", "team")
    for standing in [*standings.all_of(active), *_just_over(active)]:
        budget = standing.budget
        period = f"budget-{budget.pk}-{standing.start or budgets.period_start(budget)}"
        facts = _figures_of(standing)
        if standing.left == 0:
            raise_alert(AlertKind.BUDGET_BLOCK, f"{period}-block", key=budget.key, budget=budget, facts=facts)
        elif standing.percent >= budget.warn_at and not Alert.objects.filter(once=f"{period}-block").exists():
            raise_alert(AlertKind.BUDGET_WARN, f"{period}-warn", key=budget.key, budget=budget, facts=facts)


def _just_over(active: Iterable[Budget]) -> list[budgets.Standing]:
    """Of periods that ended minutes ago: what was used up in the last minute of a day is told too."""
    ends = [budget for budget in active if timezone.now() - totals.starts_at(budgets.period_start(budget)) < LOOK_BACK]
    return [budgets.standing(budget, budgets.period_before(budget)) for budget in ends]


def _figures_of(standing: budgets.Standing) -> dict[str, Any]:
    return {"used": str(standing.used), "limit": str(standing.budget.limit), "percent": int(standing.percent)}


def press_refused(standing: budgets.Standing) -> Alert | None:
    """Something did not fit into what is left of a budget; it stands for having used it up, once a period."""
    budget = standing.budget
    once = f"budget-{budget.pk}-{budgets.period_start(budget)}-block"
    facts = _figures_of(standing) | {"refused": True}
    return raise_alert(AlertKind.BUDGET_BLOCK, once, key=budget.key, budget=budget, facts=facts)


def _unconfirmed() -> None:
    """Ended more than a week ago, and still nobody said what it cost: once a week, with how many there are."""
    year, week, _ = totals.today().isocalendar()
    old = unconfirmed().filter(finished_at__lt=timezone.now() - UNCONFIRMED_FOR)
    if number := old.count():
        oldest = old.aggregate(first=Min("finished_at"))["first"]
        facts = {"number": number, "oldest": _day(oldest)}
        raise_alert(AlertKind.UNCONFIRMED, f"unconfirmed-{year}-{week}", facts=facts)


def unconfirmed() -> QuerySet[Task]:
    """Tasks that ended and whose charge nobody has told; what is open has no end.

    Asked key by key, as the index has it in which only these tasks stand: else SQLite goes through all that ever ended.
    """
    return Task.objects.filter(key__in=ProviderKey.objects.values("pk"), charge=None, finished_at__isnull=False)


def external_use(run: Reconciliation, number: int, amount: Decimal, unit: str) -> Alert | None:
    """The vendor's list has tasks that were not made here: one alert for the run, however many they are."""
    facts = {"number": number, "amount": str(amount), "unit": unit}
    return raise_alert(AlertKind.EXTERNAL_USE, f"external-{run.pk}", key=run.key, facts=facts)


def unexplained(run: Reconciliation) -> Alert | None:
    """A reconciliation left differences that somebody has to look at; once a day and key."""
    number = Difference.objects.filter(key=run.key, state=DifferenceState.OPEN).count()
    if not number:
        return None
    once = f"unexplained-{run.key_id}-{totals.today()}"
    return raise_alert(AlertKind.UNEXPLAINED, once, key=run.key, facts={"number": number})


def not_compared(run: Reconciliation) -> Alert | None:
    """A night brought no comparison of a key: nobody knows whether its books are right; once a day and key."""
    once = f"not-compared-{run.key_id}-{totals.today()}"
    return raise_alert(AlertKind.NOT_COMPARED, once, key=run.key, facts={"why": run.error[:300]})


def sums_repaired(wrong: Iterable[totals.Wrong]) -> Alert | None:
    told = [str(each) for each in wrong]
    facts = {"number": len(told), "first": told[0] if told else ""}
    return raise_alert(AlertKind.TOTALS_REPAIRED, f"totals-{timezone.now():%Y%m%d%H%M}", facts=facts) if told else None


def _balances() -> None:
    for key in ProviderKey.objects.filter(state=KeyState.ACTIVE, balance__isnull=False):
        ends = runs_out_on(key)
        if ends is not None and ends <= totals.today() + RUNS_OUT_WITHIN:
            year, week, _ = totals.today().isocalendar()
            facts = {"balance": str(key.balance), "on": ends.isoformat()}
            raise_alert(AlertKind.RUNNING_OUT, f"running-out-{key.pk}-{year}-{week}", key=key, facts=facts)
        if key.balance_ends_at and timezone.now() < key.balance_ends_at <= timezone.now() + PACKAGE_ENDS_WITHIN:
            facts = {"ending": str(key.balance_ending), "on": _day(key.balance_ends_at)}
            raise_alert(AlertKind.RUNNING_OUT, f"package-{key.pk}-{facts['on']}", key=key, facts=facts)


def runs_out_on(key: ProviderKey) -> date | None:
    """The day on which the balance is used up at the pace of the last days; None when nobody can tell."""
    since = timezone.now() - PACE_OVER
    readings = list(
        BalanceReading.objects.filter(key=key, hour__gte=since).order_by("hour").values_list("at", "balance")
    )
    if len(readings) < 2 or key.balance is None:
        return None
    steps = pairwise(balance for _, balance in readings)
    used = sum((before - after for before, after in steps if after < before), Decimal(0))
    days = Decimal((readings[-1][0] - readings[0][0]).total_seconds()) / 86400
    if used <= 0 or days * 24 < 12:  # half a day tells nothing
        return None
    left = min(key.balance / (used / days), Decimal(3650))
    return totals.today() + timedelta(days=int(left))


# --- Keys, copies, the worker --------------------------------------------------------------------------------


def _keys() -> None:
    """A key that drains too: what runs on it cannot be followed or saved without it."""
    for key in ProviderKey.objects.exclude(state=KeyState.DISABLED).exclude(problem=KeyProblem.NONE):
        once = f"key-{key.pk}-{key.problem}-{totals.today()}"
        # What somebody has seen to and what fails again is news.
        seen_to = Alert.objects.filter(once__startswith=once, closed_at__lte=key.problem_at or timezone.now()).count()
        once += f"-{seen_to}" if seen_to else ""
        facts = {"problem": key.problem, "error": key.last_error[:300]}
        raise_alert(AlertKind.KEY_FAILING, once, key=key, facts=facts)


def _expiring_keys() -> None:
    """But not of those that have been replaced: they end by themselves."""
    soon = totals.today() + EXPIRES_WITHIN
    soon_over = ProviderKey.objects.filter(expires_on__lte=soon, replaced_by=None)
    for key in soon_over.exclude(state=KeyState.DISABLED):
        once = f"expires-{key.pk}-{key.expires_on}"
        raise_alert(AlertKind.KEY_EXPIRES, once, key=key, facts={"on": f"{key.expires_on}"})


def _copies_at_risk() -> None:
    risky = saving.at_risk()
    if first := risky.select_related("task").first():
        now = timezone.now()
        once = f"at-risk-{now:%Y%m%d}-{now.hour // AT_RISK_EVERY_HOURS}"
        facts = {"number": risky.count(), "deadline": first.deadline.isoformat(timespec="minutes")}
        raise_alert(AlertKind.AT_RISK, once, task=first.task, facts=facts)


def worker_was_silent(since: datetime, until: datetime) -> Alert | None:
    """The worker is back after a while without a sign of life."""
    return worker_is_silent(since, until, until)


def worker_is_silent(since: datetime, now: datetime, until: datetime | None = None) -> Alert | None:
    """No sign of life for minutes. Who supervises the worker says so, and tells it: the worker cannot."""
    if now - since < SILENT_FOR:
        return None
    facts = {"since": since.isoformat(timespec="minutes"), "until": until and until.isoformat(timespec="minutes")}
    return raise_alert(AlertKind.WORKER_SILENT, f"silent-{since:%Y%m%d%H%M}", facts=facts)


def _open_links() -> None:
    """Once a week: what opens for anyone, as long as something does."""
    year, week, _ = totals.today().isocalendar()
    once = f"open-links-{year}-{week}"
    if Alert.objects.filter(once=once).exists():
        return
    outside = ShareLink.objects.filter(audience=Audience.ANYONE).select_related("owner").order_by("expires_at")
    links = list(sharing.still_open(outside, HouseRules.now()))
    if links:
        people = Counter(link.owner.display_name for link in links).most_common(10)
        facts = {
            "number": len(links),
            "by": [[name, number] for name, number in people],
            "last": _day(links[-1].expires_at),
        }
        raise_alert(AlertKind.OPEN_LINKS, once, facts=facts)


def _due_again() -> None:
    """Wake the telling of alerts that a channel did not take, or whose job got lost."""
    due = Alert.objects.filter(next_try_at__lte=timezone.now() - timedelta(seconds=30))
    for pk in list(due.values_list("pk", flat=True)[:50]):
        enqueue("deliver_alert", pk)


def _day(at: datetime | None) -> str:
    return totals.day_of(at).isoformat() if at else ""
