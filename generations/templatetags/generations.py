"""What templates ask about tasks; the answers themselves are in ``words``."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django import template
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext, gettext_lazy, pgettext, pgettext_lazy

from generations import queries, uncertainty, words
from generations import time_left as times
from generations.budgets import Standing
from generations.choices.rules import value_label
from generations.models import Creation, CreationState, Role, Task, TaskEvent, TaskState, User
from generations.pace import Expectation
from generations.providers.base import MODES, CallKind

register = template.Library()
HAN = re.compile(r"[\u3400-\u9fff]")

register.filter("cost_line", words.cost_line)
register.filter("failure_words", words.failure_words)
register.filter("event_words", words.event_words)
register.filter("failure_text", words.failure_text)
register.filter("model_label", words.model_label)
register.filter("money", words.money)
register.filter("formula", words.formula)
register.filter("about_time", words.about_time)
register.filter("how_lost", uncertainty.how_lost)
register.filter("clip", queries.stored_clip)


@register.simple_tag
def standing(task: Task, places: Mapping[UUID, int] | str = "") -> words.Standing:
    """``places`` is missing where nobody asked for it; a template then passes an empty string."""
    return words.standing(task, places.get(task.pk) if isinstance(places, Mapping) else None)


@register.simple_tag
def time_left(task: Task, expectations: Mapping[UUID, Expectation] | str = "") -> times.TimeLeft | None:
    """``expectations`` is missing where nobody asked for them."""
    return times.time_left(task, expectations.get(task.pk)) if isinstance(expectations, Mapping) else None


@register.filter
def cancellable_by(task: Task, user: User) -> bool:
    """Whether a Cancel button is worth showing: it is theirs, and somebody can still stop it."""
    if not task.is_of(user) and not user.is_admin:
        return False
    at_vendor = task.state == TaskState.QUEUED and task.key.translator.can_cancel
    return task.state == TaskState.WAITING or at_vendor


@register.filter
def shareable_by(task: Task, user: User) -> bool:
    """Whether there is something to show to others, and this person changes anything at all."""
    return user.role != Role.AUDITOR and queries.stored_clip(task) is not None


@register.filter
def editable_by(task: Task, user: User) -> bool:
    """What still waits can be changed by its owner, where the composer knows its mode."""
    return task.state == TaskState.WAITING and task.owner_id == user.pk and task.mode in MODES


@register.filter
def askable_by(task: Task, user: User) -> bool:
    """Whether asking the vendor out of turn can bring anything: it has a name there and is not settled."""
    if not (task.is_of(user) or user.is_admin) or task.attempt is None or not task.attempt.remote_id:
        return False
    given_up = task.state == TaskState.LOST or (task.state == TaskState.FAILED and task.charge is None)
    return given_up or task.state in words.FOLLOWED


@register.filter
def is_forgotten(task: Task) -> bool:
    """Running, and the vendor has given no good answer about it for an hour: an administrator may end it."""
    return uncertainty.is_forgotten(task)


@register.filter
def may_exist(task: Task) -> bool:
    """Whether an answer of its was lost, and nobody knows to this day what came of it."""
    return task.state != TaskState.UNCERTAIN and uncertainty.unclear_attempt(task) is not None


@register.filter
def budget_left(standing: Standing) -> str:
    return words.budget_left(standing.budget, standing.left or Decimal(0))


@register.filter
def beyond_recall(task: Task) -> bool:
    """Sent to a vendor that has no way to cancel: it will be made, and may be charged."""
    sent = task.is_open and task.state not in (TaskState.WAITING, TaskState.ARCHIVING, TaskState.UNCERTAIN)
    return sent and not task.key.translator.can_cancel


@register.filter
def watermarked(task: Task) -> Creation | None:
    """The second version of a clip that was ordered with a watermark."""
    made = (made for made in task.creations.all() if made.watermarked)
    return next((each for each in made if each.state == CreationState.STORED), None)


CALLS = {
    CallKind.CREATE: pgettext_lazy("kind of request", "Create"),
    CallKind.QUERY: pgettext_lazy("kind of request", "Query"),
    CallKind.LIST: pgettext_lazy("kind of request", "List"),
    CallKind.CANCEL: pgettext_lazy("kind of request", "Cancel"),
    CallKind.BALANCE: pgettext_lazy("kind of request", "Balance"),
    CallKind.MEDIA: pgettext_lazy("kind of request", "Copy"),
}


@register.filter
def call_word(kind: str) -> str:
    return str(CALLS.get(CallKind(kind), kind))


@register.filter
def took(milliseconds: int) -> str:
    """How long a request took: 240 ms, 3.2 s."""
    if milliseconds < 1000:
        return gettext("%(number)d ms") % {"number": milliseconds}
    return gettext("%(number)s s") % {"number": number_format(milliseconds / 1000, decimal_pos=1)}


@register.filter
def event_detail(event: TaskEvent) -> str:
    """What belongs to a line of the timeline and everybody may know."""
    if event.kind == "key-changed":
        return f"{event.detail.get('old', '')} → {event.detail.get('new', '')}"
    return ""


@register.filter
def clock(seconds: float | None) -> str:
    """Seconds as 0:05 or 1:02:03."""
    minutes, rest = divmod(round(seconds or 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@register.filter
def moment(when: datetime) -> str:
    """The time for today, the day for everything older: unlike "2 minutes ago" it stays true on an open page."""
    local = timezone.localtime(when)
    if local.date() == timezone.localdate():
        return date_format(local, "H:i")
    if local.year == timezone.localdate().year:
        return date_format(local, pgettext("date format", "j M"))
    return date_format(local, pgettext("date format", "j M Y"))


@register.filter
def day_and_time(when: datetime) -> str:
    """For an end: the day even when it is today, and the time of day."""
    local = timezone.localtime(when)
    same_year = local.year == timezone.localdate().year
    day = pgettext("date format", "j M") if same_year else pgettext("date format", "j M Y")
    return f"{date_format(local, day)}, {date_format(local, 'H:i')}"


@register.filter
def instant(when: datetime) -> str:
    """To the second; the day goes along where it is not today, so that a list of days reads rightly."""
    local = timezone.localtime(when)
    return local.strftime("%H:%M:%S" if local.date() == timezone.localdate() else "%Y-%m-%d %H:%M:%S")


@register.filter
def zone(when: datetime | None) -> str:
    """The clock of the times on a page at that moment, or now: UTC, UTC+8, UTC−3:30."""
    offset = timezone.localtime(when).utcoffset() or timedelta(0)
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    if not offset:
        return "UTC"
    sign = "+" if offset > timedelta(0) else "−"
    return f"UTC{sign}{hours}:{minutes:02}" if minutes else f"UTC{sign}{hours}"


@register.filter
def hours_left(when: datetime) -> str:
    """The time until then as h:mm; what has passed is 0:00."""
    minutes = max(0, int((when - timezone.now()).total_seconds())) // 60
    return f"{minutes // 60}:{minutes % 60:02}"


@register.filter
def age(when: datetime | None) -> str:
    """How long ago: 42 s, 5 min, 3:07 h."""
    if when is None:
        return "–"
    seconds = max(0, int((timezone.now() - when).total_seconds()))
    if seconds < 120:
        return gettext("%(number)d s") % {"number": seconds}
    if seconds < 7200:
        return gettext("%(number)d min") % {"number": seconds // 60}
    return gettext("%(time)s h") % {"time": f"{seconds // 3600}:{seconds // 60 % 60:02}"}


@register.filter
def sent_at(task: Task) -> datetime | None:
    """When it went to the vendor; of one whose answer was lost only its attempt knows."""
    return task.submitted_at or (task.attempt.sent_at if task.attempt else None)


@register.filter
def copy_trouble(task: Task) -> str:
    """What stood in the way of the copies that are not there, as it was noted."""
    missing = (each for each in task.creations.all() if each.state != CreationState.STORED)
    return next((each.last_error for each in missing if each.last_error), "")


@register.filter
def script_lang(text: str) -> str:
    """A language for what a person wrote, so that it is read aloud and broken into lines rightly."""
    return "zh" if len(HAN.findall(text)) * 3 > len(text) else ""


@register.filter
def ratio_class(ratio: str) -> str:
    """ "16:9" as a CSS class; a ratio the stylesheet does not know is drawn as 16:9."""
    known = {"16:9", "9:16", "4:3", "3:4", "1:1", "21:9"}
    return "r-" + (ratio if ratio in known else "16:9").replace(":", "x")


OPTION_NAMES = {
    "bgm": gettext_lazy("Music"),
    "style": gettext_lazy("Style"),
    "movement_amplitude": gettext_lazy("Movement"),
    "watermark": gettext_lazy("Watermark"),
    "is_rec": gettext_lazy("Prompt by the vendor"),
    "audio_type": gettext_lazy("Kind of sound"),
    "wm_position": gettext_lazy("Corner of the watermark"),
    "wm_url": gettext_lazy("Own watermark"),
    "meta_data": gettext_lazy("Origin label"),
    "template": gettext_lazy("Template"),
}


@register.filter
def option_name(name: str) -> str:
    return str(OPTION_NAMES.get(name, name.replace("_", " ")))


@register.filter
def option_value(value: object, name: str) -> str:
    if isinstance(value, bool):
        return gettext("on") if value else gettext("off")
    return value_label(name, str(value))
