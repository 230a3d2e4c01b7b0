"""The learned time of a clip in words: how long is left, how long it usually takes, that it takes longer.

The browser says the same sentences by itself as time goes by (static/js/app.js), so all of them are made here.
"""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from generations import words
from generations.models import Task
from generations.pace import Expectation

NUMBER = "{n}"  # where the browser puts the minutes
SOON = 45  # seconds: less than this is no minute any more
IN_MINUTES = 90  # seconds: from here on a span is told in minutes


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """One sentence for now, and what it takes to find the sentence of any later moment."""

    start: datetime
    p50: float
    p90: float
    left: str
    soon: str
    usual: str
    longer: str

    @property
    def sentence(self) -> str:
        passed = (timezone.now() - self.start).total_seconds()
        if passed > self.p90:
            return self.longer
        if passed >= self.p50:
            return self.usual
        if self.p50 - passed < SOON:
            return self.soon
        return self.left.replace(NUMBER, str(minutes(self.p50 - passed)))


def time_left(task: Task, expected: Expectation | None) -> TimeLeft | None:
    """None where nothing was learned, nothing runs or nobody answers: a vendor's own words are no time left."""
    running = task.state in words.FOLLOWED and not words.is_silent(task)
    if not running or task.submitted_at is None or expected is None or not expected.learned:
        return None
    return TimeLeft(
        start=task.submitted_at,
        p50=expected.p50,
        p90=expected.p90,
        left=_("about %(minutes)s min left") % {"minutes": NUMBER},
        soon=_("less than a minute left"),
        usual=usually(expected.p10, expected.p90),
        longer=_("taking longer than usual"),
    )


def usually(least: float, most: float) -> str:
    """ "usually 3–6 min": as exact as experience is, so in whole minutes or steps of five seconds."""
    if most < IN_MINUTES:
        low, high = (max(5, round(each / 5) * 5) for each in (least, most))
        if low == high:
            return _("usually about %(seconds)d s") % {"seconds": high}
        return _("usually %(low)d–%(high)d s") % {"low": low, "high": high}
    low, high = minutes(least), minutes(most)
    if low == high:
        return _("usually about %(minutes)d min") % {"minutes": high}
    return _("usually %(low)d–%(high)d min") % {"low": low, "high": high}


def minutes(seconds: float) -> int:
    return max(1, int(seconds / 60 + 0.5))
