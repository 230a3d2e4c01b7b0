"""Tells of alerts by mail and by chat services (apprise). Both are optional; the admin's list has them in any case.

Addresses of chat services hold secrets: they are in no log and no row.
"""

import logging
from datetime import timedelta

import apprise
from django.conf import settings
from django.core.mail import send_mail
from django.db.models import F
from django.utils import timezone, translation

from generations import redactor
from generations.alert_words import alert_words
from generations.models import Alert, Role, User

log = logging.getLogger("videoforge.delivery")

MOST_TRIES = 10
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
CLAIM = timedelta(minutes=5)  # one worker tells it at a time


def deliver(alert_id: int) -> bool:
    """Tell of one alert on every channel; what failed is tried again with growing pauses. True when it was told."""
    now = timezone.now()
    claimed = Alert.objects.filter(pk=alert_id, next_try_at__lte=now).update(next_try_at=now + CLAIM)
    alert = Alert.objects.select_related("key", "budget", "task").filter(pk=alert_id).first()
    if not claimed or alert is None:
        return False
    with translation.override(settings.LANGUAGE_CODE):
        subject, body = alert_words(alert)
    problems = [problem for channel in (_mail, _chat) if (problem := channel(subject, body))]
    _note(alert, "; ".join(problems))
    return not problems


def _mail(subject: str, body: str) -> str:
    """What went wrong; "" when it was sent or nobody is to get mail."""
    to = settings.VIDEOFORGE_ALERT_EMAILS or _mails_of_admins()
    if not settings.VIDEOFORGE_SENDS_MAIL or not to:
        return ""
    try:
        send_mail(f"VideoForge: {subject}", body, None, to)
    except OSError as error:  # smtplib's errors are OSErrors
        return f"mail: {type(error).__name__}"
    return ""


def _mails_of_admins() -> list[str]:
    people = User.objects.filter(role=Role.ADMIN, is_active=True).exclude(email="")
    return list(people.values_list("email", flat=True))


def _chat(subject: str, body: str) -> str:
    if not settings.VIDEOFORGE_ALERT_URLS:
        return ""
    services = apprise.Apprise()
    for url in settings.VIDEOFORGE_ALERT_URLS:
        services.add(url)
    if not services.notify(title=f"VideoForge: {subject}", body=body):
        return "chat: not taken"
    return ""


def _note(alert: Alert, problem: str) -> None:
    rows = Alert.objects.filter(pk=alert.pk)
    if not problem:
        rows.update(next_try_at=None, delivery_error="")
        return
    log.warning("alert %s: %s", alert.pk, problem)
    pause = min(FIRST_PAUSE * 2 ** min(alert.tries, 10), LONGEST_PAUSE)
    again = timezone.now() + pause if alert.tries + 1 < MOST_TRIES else None
    rows.update(tries=F("tries") + 1, next_try_at=again, delivery_error=redactor.redact(problem))
