"""Our books beside the vendors': runs, what they found, and one button for each difference."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, F, Q, QuerySet, Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from generations import reconciliation as reconciling
from generations import totals
from generations.forms.reconcile import ReconcileForm, SettleForm
from generations.models import Difference, DifferenceState, ProviderKey, Reconciliation, RunState, Task, User
from generations.reconciliation import wording
from generations.reconciliation.adopting import can_be_adopted, is_under_way
from generations.reconciliation.balance import Step, steps
from generations.reconciliation.settling import KEEP, acceptable_now, ways
from generations.views.frame import HtmxHttpRequest

PAGE = 50
ADOPT = "adopt"
WAYS: dict[tuple[str, str], Any] = {
    ("amount", "book"): gettext_lazy("Book the vendor's amount"),
    ("amount", "keep"): gettext_lazy("Leave our amount"),
    ("theirs", "book"): gettext_lazy("Book as external"),
    ("theirs", "keep"): gettext_lazy("Leave it as it is"),
    ("theirs", "adopt"): gettext_lazy("Take into the library"),
    ("ours", "release"): gettext_lazy("It cost nothing: release it"),
    ("ours", "ask"): gettext_lazy("Ask the vendor again"),
    ("state", "ask"): gettext_lazy("Ask the vendor now"),
    ("state", "keep"): gettext_lazy("Leave it as it is"),
    ("balance", "book"): gettext_lazy("Book the rest as spent"),
    ("balance", "top-up"): gettext_lazy("Record it as bought"),
    ("balance", "keep"): gettext_lazy("Leave it as it is"),
}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(no_store=True)
def reconciliation(request: HtmxHttpRequest) -> HttpResponse:
    _for_staff(request)  # an auditor may have the books compared: that changes nothing in them
    form = ReconcileForm(request.POST or None, initial=_proposed(request))
    if request.method == "POST" and form.is_valid():
        run = reconciling.request(form.cleaned_data["key"], *form.window, request.user)
        return redirect("reconciliation-run", pk=run.pk)
    runs = Reconciliation.objects.select_related("key", "actor")
    chosen = request.GET.get("key", "")
    if chosen.isdecimal() and len(chosen) < 19:
        runs = runs.filter(key=int(chosen))
    pages = Paginator(runs.with_open().order_by("-pk"), PAGE)
    page = pages.get_page(request.GET.get("page"))
    page.object_list = wording.with_badges(page.object_list)
    context = {"form": form, "page": page, "keys": ProviderKey.objects.order_by("provider", "label"), "chosen": chosen}
    status = 422 if form.errors else 200
    return render(request, "generations/reconciliation.html", context, status=status)


def _proposed(request: HtmxHttpRequest) -> dict[str, Any]:
    last = totals.today()
    first = totals.day_of(totals.starts_at(last) - reconciling.WINDOW)
    return {"first": first, "last": last, "key": request.GET.get("key", "")}


@login_required
@require_safe
@cache_control(no_store=True)
def reconciliation_run(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    _for_staff(request)
    run = get_object_or_404(Reconciliation.objects.select_related("key", "actor"), pk=pk)
    context = _run_context(run, request.GET.get("page"))
    if request.htmx and not request.htmx.history_restore_request:
        return render(request, "generations/partials/reconciliation_news.html", context)
    return render(request, "generations/reconciliation_run.html", context)


def _run_context(run: Reconciliation, number: str | None) -> dict[str, Any]:
    is_over = run.state not in (RunState.WAITING, RunState.RUNNING)
    said, tone = wording.verdict(run)
    found = run.seen.select_related("task", "key", "entry", "closed_by")
    page = Paginator(found.order_by(F("closed_at").asc(nulls_first=True), "pk"), PAGE).get_page(number)
    for each in page.object_list:
        each.ways = _offered(each)  # type: ignore[attr-defined]
        each.wants_reason = KEEP in ways(each)  # type: ignore[attr-defined]
        each.is_adopted_now = is_under_way(each)  # type: ignore[attr-defined]
        each.sentence = wording.sentence(each)  # type: ignore[attr-defined]
        each.word = wording.KINDS[each.kind]  # type: ignore[attr-defined]
    return {
        "run": run,
        "is_over": is_over,
        "said": said,
        "tone": tone,
        "notes": wording.notes(run),
        "kinds": list(_kinds(run)),
        "page": page,
        "acceptable": acceptable_now(run),
        "unit": run.key.translator.unit,
        "steps": _steps(run) if is_over else [],  # they are summed row by row, and the page asks every two seconds
        "unconfirmed": _unconfirmed(run)[:PAGE],
        "people": User.objects.filter(is_active=True).order_by("username"),
    }


def _steps(run: Reconciliation) -> list[Step]:
    return [step for step in steps(run.key, run.from_at, run.to_at) if step.fell or step.booked]


def _unconfirmed(run: Reconciliation) -> QuerySet[Task]:
    """Clips of the window that ended and whose charge nobody has told."""
    ended = Task.objects.filter(key=run.key, charge=None, finished_at__range=(run.from_at, run.to_at))
    return ended.filter(state__in=totals.ENDED).select_related("owner").order_by("finished_at")


def _offered(difference: Difference) -> list[tuple[str, Any]]:
    names = ways(difference)
    if can_be_adopted(difference):
        names = [*names, ADOPT]
    return [(name, WAYS[difference.kind, name]) for name in names]


def _kinds(run: Reconciliation) -> Any:
    """How many of each kind, open and settled, with the sums of what they are about."""
    rows = (
        run.seen.order_by()
        .values("kind", "unit")
        .annotate(
            number=Count("pk"),
            still_open=Count("pk", filter=Q(state=DifferenceState.OPEN)),
            ours=Sum("ours"),
            theirs=Sum("theirs"),
        )
    )
    for row in sorted(rows, key=lambda each: list(wording.KINDS).index(each["kind"])):
        yield {**row, "word": wording.KINDS[row["kind"]]}


@login_required
@require_POST
def reconciliation_settle(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    _for_staff(request, acts=True)
    form = SettleForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join([_("Nothing was changed."), *form.errors.get("reason", [])]))
        return redirect("reconciliation-run", pk=pk)
    told = form.cleaned_data
    run = get_object_or_404(Reconciliation, pk=pk)
    difference = get_object_or_404(run.seen.select_related("key"), pk=told["difference"])
    if told["how"] == ADOPT:
        _adopt(request, difference, told["owner"] or request.user)
        return redirect("reconciliation-run", pk=pk)
    try:
        entry = reconciling.settle(difference, told["how"], request.user, told["reason"], told["shown"])
    except reconciling.Cannot as why:
        messages.warning(request, str(wording.CANNOT.get(str(why), wording.CANNOT[""])))
    else:
        messages.success(request, _said(difference, told["how"], entry is not None))
    return redirect("reconciliation-run", pk=pk)


def _said(difference: Difference, how: str, booked: bool) -> str:
    if how == "ask":
        return _("The vendor is being asked. Reconcile again to see what it said.")
    if booked:
        return _("Settled by a row of the ledger.")
    if how == KEEP and difference.state == DifferenceState.OPEN:
        return _("Left as it is. Comparisons that see it again say so.")
    return (
        _("Settled, no row was needed.") if difference.state == DifferenceState.OPEN else _("It was settled already.")
    )


def _adopt(request: HtmxHttpRequest, difference: Difference, owner: User) -> None:
    if not can_be_adopted(difference):
        messages.warning(request, str(wording.CANNOT[""]))
        return
    reconciling.ask_to_adopt(difference, owner, request.user)
    told = {"name": owner.display_name}
    messages.success(request, _("The worker takes it into the library of %(name)s.") % told)


@login_required
@require_POST
def reconciliation_accept(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Everything that was made elsewhere, in one press."""
    _for_staff(request, acts=True)
    run = get_object_or_404(Reconciliation.objects.select_related("key"), pk=pk)
    try:
        number, amount = reconciling.accept_all(run, request.user, request.POST.get("shown", ""))
    except reconciling.Cannot as why:
        messages.warning(request, str(wording.CANNOT[str(why)]))
        return redirect("reconciliation-run", pk=pk)
    told = {"count": number, "amount": wording.money(amount, run.key.translator.unit)}
    messages.success(request, _("Booked as external: %(count)d clips, %(amount)s.") % told)
    return redirect("reconciliation-run", pk=pk)


def _for_staff(request: HtmxHttpRequest, *, acts: bool = False) -> None:
    """Auditors look, administrators act."""
    if not request.user.is_staff or (acts and not request.user.is_admin):
        raise PermissionDenied
