"""What the house is doing, for administrators: figures, and the clips behind each of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET

from generations import operations as house
from generations.views.frame import HtmxHttpRequest
from generations.views.live import uuid_or_none, varied
from generations.words import Text


@dataclass(frozen=True, slots=True)
class ListWords:
    """``tone`` colours a figure above zero."""

    title: Text
    about: Text
    tone: str = ""


LISTS: dict[str, ListWords] = {
    "finished": ListWords(gettext_lazy("Finished"), gettext_lazy("Every clip that a vendor has made.")),
    "archived": ListWords(gettext_lazy("Archived"), gettext_lazy("Our copy is whole: length and checksum were right.")),
    "pending": ListWords(gettext_lazy("Being saved"), gettext_lazy("Made by the vendor, our copy is not whole yet.")),
    "lost": ListWords(
        gettext_lazy("Lost"),
        gettext_lazy("The vendor's link died before there was a copy, and no new one came."),
        "bad",
    ),
    "at-risk": ListWords(
        gettext_lazy("Copies at risk"), gettext_lazy("The vendor's link dies within four hours."), "bad"
    ),
    "uncertain": ListWords(
        gettext_lazy("Unclear"),
        gettext_lazy("Sent, and the answer was lost. Never sent a second time by itself."),
        "warn",
    ),
    "overdue": ListWords(
        gettext_lazy("Overdue"),
        gettext_lazy("Longer at the vendor than such a clip should take. Asked about again and again, never given up."),
        "warn",
    ),
    "not-answering": ListWords(
        gettext_lazy("Vendor not answering"),
        gettext_lazy("The last three or more questions brought no answer."),
        "warn",
    ),
}
WORK = ("finished", "archived", "pending", "lost")
CARE = ("at-risk", "uncertain", "overdue", "not-answering")
View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Tile:
    name: str
    figure: int
    title: Text
    tone: str


def for_staff(view: View) -> View:
    @login_required
    @require_GET
    @cache_control(no_store=True)
    @wraps(view)
    def guarded(request: HtmxHttpRequest, **kwargs: str) -> HttpResponse:
        if not request.user.is_staff:
            raise PermissionDenied
        return view(request, **kwargs)

    return guarded


@for_staff
def operations(request: HtmxHttpRequest) -> HttpResponse:
    counts = house.counts()
    context = {
        "work": [_tile(name, counts[name]) for name in WORK],
        "care": [_tile(name, counts[name]) for name in CARE],
        "next": house.next_deadline(),
        "worker": house.worker(),
        "keys": house.held_keys(),
        "callbacks": house.callback_figures(),
        "requests": house.request_lines(),
    }
    return render(request, "generations/operations.html", context)


def _tile(name: str, figure: int) -> Tile:
    words = LISTS[name]
    return Tile(name, figure, words.title, words.tone if figure else "")


@for_staff
def operations_list(request: HtmxHttpRequest, name: str) -> HttpResponse:
    if name not in LISTS:
        raise Http404(f"no such list: {name}")
    before = uuid_or_none(request.GET.get("before", ""))
    page = house.page_of(name, before)
    context = {"name": name, "words": LISTS[name], "page": page, "before": before}
    part = "partials/operations_rows" if request.htmx and before else "operations_list"
    return varied(render(request, f"generations/{part}.html", context))
