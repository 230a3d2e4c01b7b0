"""The test button: the worker makes the free call, as everything that leaves the house, and the page tells of it."""

import time
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from generations import words
from generations.models import ProviderKey
from generations.queue import enqueue

TEST_WAIT_SECONDS = 6.0


def ask(request: HttpRequest, key: ProviderKey) -> None:
    """Have the key tested and wait a moment for what the worker noted."""
    told_before, good_before, bad_before = _last_good(key), key.last_ok_at, key.last_error_at
    enqueue("test_key", key.pk)
    end = time.monotonic() + TEST_WAIT_SECONDS
    while time.monotonic() < end:
        time.sleep(0.2)
        key.refresh_from_db()
        if key.last_error_at != bad_before:
            said = {"label": key.label, "time": _clock(key.last_error_at), "error": key.last_error}
            messages.error(request, _("%(label)s: the test at %(time)s failed. %(error)s") % said)
            return
        if _last_good(key) != told_before:
            messages.success(request, good_answer(key, key.translator.reports_balance))
            return
    if key.last_ok_at != good_before:
        messages.success(request, good_answer(key, told=False))
        return
    text = _("%(label)s: no answer yet. The worker may not be running; reload this page in a while.")
    messages.warning(request, text % {"label": key.label})


def _last_good(key: ProviderKey) -> datetime | None:
    """Tasks that are followed bring good answers too: where the vendor tells figures, these are waited for."""
    return key.balance_at if key.translator.reports_balance else key.last_ok_at


def good_answer(key: ProviderKey, told: bool) -> str:
    """What the vendor said just now, in words; ``told`` when figures were among it."""
    said = {"label": key.label, "time": _clock(key.last_ok_at)}
    if not told:
        return _("%(label)s is good (%(time)s). The vendor answered; it tells no balance.") % said
    figures = {"balance": balance(key), "load": load(key)}
    return _("%(label)s is good (%(time)s). Balance: %(balance)s. At the vendor: %(load)s.") % (said | figures)


def balance(key: ProviderKey) -> str:
    return "–" if key.balance is None else words.money(key.balance, key.translator.unit)


def load(key: ProviderKey) -> str:
    """What runs and waits at the vendor, ours or not, and how much it takes at once."""
    counts = (
        (_("%(count)s at once"), key.concurrency_limit),
        (_("%(count)s running"), key.vendor_running),
        (_("%(count)s queued"), key.vendor_queued),
    )
    told = [text % {"count": number_format(count, force_grouping=True)} for text, count in counts if count is not None]
    return " · ".join(told) or "–"


def age(when: datetime | None) -> str:
    if when is None:
        return ""
    if (timezone.now() - when).total_seconds() < 60:
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(when, depth=1)}


def _clock(when: datetime | None) -> str:
    return date_format(timezone.localtime(when), "TIME_FORMAT") if when else "–"
