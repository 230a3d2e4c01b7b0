"""What was spent: the report, the rows under each of its numbers, and both as a file."""

from collections.abc import Iterator
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET

from generations import exports, standings, totals
from generations.budgets import Standing
from generations.models import Budget, EntryKind, Grain, LedgerTotal, User
from generations.models.tasks import MODE_CHOICES, UNIT_CHOICES
from generations.reports import Filters, Report, labels, report
from generations.reports.charts import charts, heat_by
from generations.reports.filters import BY_DEFAULT, CLIPS, ESTIMATES, FAILURES, FIGURES, GROUPS, NONE, UNCONFIRMED
from generations.reports.heat import heat
from generations.reports.rows import page_of_clips, page_of_entries
from generations.reports.spans import PRESETS, Unclear
from generations.reports.sums import sums_of
from generations.views.frame import HtmxHttpRequest
from generations.views.live import varied
from generations.words import STATES

TABS = (  # view, by, then, words
    (FIGURES, "key", "", gettext_lazy("Keys")),
    (FIGURES, "key", "day", gettext_lazy("Keys × days")),
    (FIGURES, "person", "", gettext_lazy("People")),
    (FIGURES, "model", "", gettext_lazy("Models")),
    (FIGURES, "vendor", "", gettext_lazy("Vendors")),
    (FIGURES, "mode", "", gettext_lazy("Modes")),
    (FAILURES, *BY_DEFAULT[FAILURES], gettext_lazy("Failures and who paid")),
    (ESTIMATES, *BY_DEFAULT[ESTIMATES], gettext_lazy("Estimate versus charge")),
)
CHARGE_WORDS = {
    "none": gettext_lazy("nothing was charged"),
    "some": gettext_lazy("something was charged"),
    "known": gettext_lazy("confirmed"),
    "compared": gettext_lazy("confirmed, and estimated in the same unit"),
    UNCONFIRMED: gettext_lazy("not confirmed"),
}
MOST_LINES = 100  # of a table; the totals below it are of all of them
private = cache_control(private=True, no_store=True)


@login_required
@require_GET
@private
def usage(request: HtmxHttpRequest) -> HttpResponse:
    context, status = _asked(request)
    filters = context["filters"] = context["filters"].as_report()
    if status == 200:
        found = report(filters)
        by = heat_by(found)
        context |= {
            "report": found,
            "lines": found.lines[:MOST_LINES],
            "left_out": max(0, len(found.lines) - MOST_LINES),
            "charts": charts(found),
            "heat": heat(found, by) if by else None,
            "clips": _clips(found),
            "standings": _standings(request.user),
            "tabs": list(_tabs(filters)),
        }
    if request.htmx and not request.htmx.history_restore_request:
        return varied(render(request, "generations/partials/usage_news.html", context, status=status))
    context |= _choices(filters)
    return varied(render(request, "generations/usage.html", context, status=status))


@login_required
@require_GET
@private
def usage_rows(request: HtmxHttpRequest) -> HttpResponse:
    """The rows of the ledger under a number, or the clips."""
    context, status = _asked(request)
    before, filters = request.GET.get("before", ""), context["filters"]
    if status == 200:
        page = (page_of_clips if filters.of_clips else page_of_entries)(filters, before)
        sums = sums_of(filters) if page.rows else []
        context |= {"page": page, "sums": sums, "list": CLIPS if filters.of_clips else "", "told": _told(filters)}
    part = "partials/usage_rows_more" if request.htmx and before and status == 200 else "usage_rows"
    return varied(render(request, f"generations/{part}.html", context, status=status))


@login_required
@require_GET
@private
def usage_export(request: HtmxHttpRequest) -> HttpResponseBase:
    """The same rows as a file. Who took it is kept before its first byte leaves."""
    context, status = _asked(request)
    file_format = request.GET.get("format", "csv")
    if file_format not in exports.TYPES:
        context["unclear"], status = _("A file is CSV or XLSX. Choose one of them."), 422
    if status != 200:
        return render(request, "generations/usage.html", context | _choices(context["filters"]), status=422)
    filters = context["filters"]
    exports.record(filters, request.user, file_format)
    name = exports.file_name(filters, file_format)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(
        exports.pieces(filters, file_format), content_type=exports.TYPES[file_format], headers=headers
    )


def _asked(request: HtmxHttpRequest) -> tuple[dict[str, Any], int]:
    """What was asked, and the time zone that all days are of. 422 with a sentence where it cannot be answered."""
    context: dict[str, Any] = {"zone": str(totals.zone()), "unclear": ""}
    timezone.activate(totals.zone())  # every time on these pages is of the books, and so named
    try:
        return context | {"filters": Filters.read(request.GET, request.user)}, 200
    except Unclear as unclear:
        plain = Filters.read(QueryDict(), request.user)
        return context | {"filters": plain, "unclear": str(unclear)}, 422


def _tabs(filters: Filters) -> Iterator[tuple[str, str, bool]]:
    """Words, address, and whether it is the one that is open. One's own figures need no list of people."""
    here = (filters.view, filters.by, filters.then)
    for view, by, then, words in TABS:
        if by != "person" or filters.only is None:
            yield str(words), filters.with_(view=view, by=by, then=then), (view, by, then) == here


def _choices(filters: Filters) -> dict[str, Any]:
    """What the filters offer."""
    vendors = sorted({key.provider for key in filters.keys.values()})
    models = labels.model_choices(set(vendors))
    if filters.model and filters.model not in dict(models):
        models = [*models, (filters.model, filters.label("model", filters.model.removeprefix(NONE)))]
    return {
        "periods": PRESETS,
        "groups": GROUPS,
        "vendors": [(slug, filters.label("vendor", slug)) for slug in vendors],
        "models": models,
        "modes": MODE_CHOICES,
        "states": [(state, STATES[state].word) for state in totals.ENDED],
        "people": [(str(pk), filters.label("person", pk)) for pk in filters.people],
    }


def _clips(found: Report) -> dict[str, int]:
    """Clips are no unit of money: of these there is one number for all."""
    names = ("tasks", "ready", "failed", "seconds", "unconfirmed", "failed_free", "failed_paid", "failed_unconfirmed")
    return {name: sum(getattr(line.figures, name) for line in found.totals) for name in names}


def _standings(user: User) -> list[Standing]:
    """The budgets that this person's clips count in: their own, their teams', and those of the keys they use."""
    month = totals.month_of(totals.today())
    used = LedgerTotal.objects.filter(grain=Grain.MONTH, starts_on=month, person=user).values("key")
    scope = Q(person=user) | Q(team__in=user.groups.all()) | Q(key__in=used)
    mine = Budget.objects.filter(scope, active=True).select_related("key", "person", "team").distinct()
    return sorted(standings.all_of(mine), key=lambda each: -each.percent)


def _told(filters: Filters) -> list[tuple[str, str]]:
    """The filters of a list of rows, in words."""
    names = {name: str(word) for name, word in GROUPS}
    found = []
    for name in ("key", "person", "vendor", "model", "mode"):
        value = getattr(filters, name)
        if value:
            found.append((names[name], filters.label(name, _value(name, value))))
    chosen = {
        names["state"]: ", ".join(filters.label("state", state) for state in filters.states),
        _("Unit"): str(dict(UNIT_CHOICES).get(filters.unit, "")),
        _("Charge"): str(CHARGE_WORDS.get(filters.charge, "")),
        _("Kind"): ", ".join(str(EntryKind(kind).label) for kind in filters.kinds),
    }
    return [*found, *((name, words) for name, words in chosen.items() if words)]


def _value(name: str, value: str) -> Any:
    if value == NONE:
        return None if name == "person" else ""
    return int(value) if name in ("key", "person") else value
