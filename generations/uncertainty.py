"""What is known of a create whose answer was lost, for the person who has to decide about it."""

import re
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generations.models import (
    FORGOTTEN_AFTER,
    FORGOTTEN_AFTER_ERRORS,
    Attempt,
    AttemptState,
    Task,
    TaskEvent,
    TaskState,
)
from generations.words import Text

# A vendor that lists is searched by itself. Should no list ever come (a revoked key), a person may decide after all.
LOOKS_ALONE = timedelta(days=1)
ASKING_AT_MOST = timedelta(minutes=2)

_HOW_LOST: dict[str, Text] = {
    "read_timeout": gettext_lazy("The request was sent; no answer came in time."),
    "write_timeout": gettext_lazy("The connection stood still while the request was being sent."),
    "read_error": gettext_lazy("The connection broke before the answer was complete."),
    "write_error": gettext_lazy("The connection broke while the request was being sent."),
    "protocol_error": gettext_lazy("The connection ended in the middle of an answer that could not be read."),
    "body_too_large": gettext_lazy("The answer was too long to be one of the vendor's."),
    "worker_died": gettext_lazy("Our worker stopped between sending the request and noting the answer."),
    "remote_id_taken": gettext_lazy("The vendor answered with the id of another clip of ours."),
}
_STATUS = re.compile(r"http_(\d{3})")

_WHERE: dict[str, Text] = {
    "vidu": gettext_lazy(
        "In the Vidu console, open the task list of this account and look for a task of that minute with this model "
        "and prompt. Its task id is a long number."
    ),
    "dataeyes": gettext_lazy(
        "In the DataEyes console, open the usage log of this key and look for a video task of that minute with this "
        "model. Its support can search for our token: it travelled in the field “payload”."
    ),
    "uniall": gettext_lazy(
        "In the UniAll console, open the task log of this key and look for a task of that minute with this model. "
        "Our token is not passed through there, so compare time, model and amount."
    ),
    "xingchao": gettext_lazy(
        "In the XingChaoYiQing console, open the task log of this key and look for a task of that minute with this "
        "model. Our token is not passed through there, so compare time, model and tokens used."
    ),
    "vtrix": gettext_lazy(
        "In the Vtrix console, open the usage page of this key and look for a video task of that minute with this "
        "model. Its support can search for our token: it travelled in the field “payload”."
    ),
}
_ANYWHERE = gettext_lazy("In the vendor's console, look for a task of that minute with this model and prompt.")

_REFUSED: dict[str, Text] = {
    "another_token": gettext_lazy("The vendor's task with this id carries another token: it is not this clip."),
    "remote_id_taken": gettext_lazy("Another clip of this house has this id."),
    "not_taken": gettext_lazy("It could not be taken over: the clip was decided about meanwhile."),
}


def how_lost(code: str) -> str:
    """Why nobody knows; a code that has no words speaks for itself."""
    status = _STATUS.fullmatch(code)
    if status:
        said = _("The vendor answered with HTTP %(status)s, which does not tell whether it took the order.")
        return said % {"status": status[1]}
    if code in _HOW_LOST:
        return str(_HOW_LOST[code])
    return _("The answer did not tell whether the order was taken (%(code)s).") % {"code": code}


def where_to_look(task: Task) -> str:
    return str(_WHERE.get(task.provider, _ANYWHERE))


def is_forgotten(task: Task) -> bool:
    """Whether the vendor has had no good answer about a running task for so long that a person may end it."""
    silent = task.poll_errors >= FORGOTTEN_AFTER_ERRORS and task.submitted_at is not None
    running = task.state in (TaskState.QUEUED, TaskState.PROCESSING)
    return bool(running and silent and task.submitted_at and timezone.now() - task.submitted_at > FORGOTTEN_AFTER)


def looks_by_itself(task: Task) -> bool:
    """Whether the search in the vendor's list goes on: until it has ended, nobody has to decide."""
    attempt = task.attempt
    if task.state != TaskState.UNCERTAIN or attempt is None or not task.key.translator.can_list:
        return False
    if attempt.next_look_at is None or attempt.sent_at is None:
        return False
    return timezone.now() - attempt.sent_at < LOOKS_ALONE


def unclear_attempt(task: Task) -> Attempt | None:
    """The last attempt of which nobody knows whether the vendor took it; also of a task that went on without it."""
    return task.attempts.filter(state=AttemptState.UNKNOWN).select_related("key").order_by("-number").first()


def is_being_asked(told: TaskEvent | None) -> bool:
    """Whether the worker is still asking about an id that somebody named; a job can get lost, so not for ever."""
    return told is not None and told.kind == "exists-said" and timezone.now() - told.at < ASKING_AT_MOST


def word_of_id(task: Task) -> TaskEvent | None:
    """The last thing that happened about an id that somebody named: "exists-said" is still being asked about."""
    about = task.events.filter(kind__in=("exists-said", "exists-refused")).order_by("-pk").first()
    lost = task.events.filter(kind=TaskState.UNCERTAIN).order_by("-pk").first()
    return None if about and lost and about.pk < lost.pk else about


def why_refused(code: str, text: str = "") -> str:
    """Why a named id was not taken: in our words, else in the vendor's."""
    known = _REFUSED.get(code)
    if known:
        return str(known)
    said = {"reason": text or code}
    return _("The vendor did not confirm it: %(reason)s") % said
