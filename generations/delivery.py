"""Tells of alerts by mail and by chat services (apprise). Both are optional; the admin's list has them in any case.

Addresses of chat services hold secrets: they are in no log and no row. They come from the operator's environment, as
the mail server does, so that one inside the house is fine; but no service leads us elsewhere: redirects are not
followed, even where an address asks for it, and count as not taken.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

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
    subject = " ".join(subject.split())  # a name with a line break in it must not keep a mail from going out
    problems = []
    for name, channel in _channels():
        if name in alert.told:
            continue
        if problem := _try(channel, subject, body):
            problems.append(problem)
        else:
            alert.told = [*alert.told, name]
    _note(alert, "; ".join(problems))
    return not problems


Channel = Callable[[str, str], str]  # subject and body; what went wrong, "" when it was told


def _channels() -> Iterator[tuple[str, Channel]]:
    """Each by a name that holds no secret. One that failed is tried again, the others are not told twice."""
    if settings.VIDEOFORGE_SENDS_MAIL:
        yield "mail", _mail
    for url in settings.VIDEOFORGE_ALERT_URLS:
        yield hashlib.sha256(url.encode()).hexdigest()[:12], partial(_chat, url)


def _try(channel: Channel, subject: str, body: str) -> str:
    try:
        return channel(subject, body)
    except Exception as error:  # noqa: BLE001
        # Whatever a service of somebody else's does, the other channels and the next alert go out.
        # Its text may hold the service's address, and with it a secret.
        return type(error).__name__


def _mail(subject: str, body: str) -> str:
    to = settings.VIDEOFORGE_ALERT_EMAILS or _mails_of_admins()
    if not to:
        return ""
    try:
        send_mail(f"VideoForge: {subject}", body, None, to)
    except OSError as error:  # smtplib's errors are OSErrors
        return f"mail: {type(error).__name__}"
    return ""


def _mails_of_admins() -> list[str]:
    people = User.objects.filter(role=Role.ADMIN, is_active=True).exclude(email="")
    return list(people.values_list("email", flat=True))


def _chat(url: str, subject: str, body: str) -> str:
    service = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False))
    service.add(url)
    for each in service:
        each.redirects = False
    return "" if service.notify(title=f"VideoForge: {subject}", body=body) else "chat: not taken"


def _note(alert: Alert, problem: str) -> None:
    rows = Alert.objects.filter(pk=alert.pk)
    if not problem:
        rows.update(next_try_at=None, delivery_error="", told=alert.told)
        return
    log.warning("alert %s: %s", alert.pk, problem)
    pause = min(FIRST_PAUSE * 2 ** min(alert.tries, 10), LONGEST_PAUSE)
    again = timezone.now() + pause if alert.tries + 1 < MOST_TRIES else None
    rows.update(tries=F("tries") + 1, next_try_at=again, delivery_error=redactor.redact(problem), told=alert.told)
