"""The pages where books are compared: who may look, who may act, and what each button does."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import respx
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django_q.models import OrmQ

from generations import ledger, reconciliation, totals
from generations.models import (
    Attempt,
    BalanceReading,
    Creation,
    Difference,
    ProviderKey,
    Reconciliation,
    Task,
    UsageEntry,
    User,
)
from generations.providers.base import Money, Snapshot, Unit
from generations.reconciliation import listing
from tests.factories import make_key, make_task, make_user
from tests.views.pages import htmx, signed_in

pytestmark = pytest.mark.django_db
VIDU = "https://api.vidu.com"
NOW = timezone.now


@pytest.fixture
def desk(admin: User) -> Client:
    return signed_in(admin)


@pytest.fixture
def auditor(db: None) -> User:
    return make_user("auditor", role="auditor")


@pytest.fixture
def run(key: ProviderKey) -> Reconciliation:
    now = NOW()
    return Reconciliation.objects.create(
        key=key, from_at=now - timedelta(days=7), to_at=now, state="complete", lists=True, listed=3, same=1, found=2
    )


def differ(run: Reconciliation, kind: str, remote_id: str = "41", **over: Any) -> Difference:
    at = NOW() - timedelta(days=1)
    facts = {
        "state": "succeeded",
        "at": at.isoformat(),
        "model": "viduq3-turbo",
        "prompt_length": 29,
        **over.pop("facts", {}),
    }
    fields = {"run": run, "key": run.key, "kind": kind, "remote_id": remote_id, "unit": "credit", "facts": facts}
    fields["happened_at"] = at
    return Difference.objects.create(**{**fields, **over})


def clip(owner: User, key: ProviderKey, amount: int = 55) -> Task:
    now = NOW()
    task = make_task(owner, key=key, state="succeeded", charge=Decimal(amount), finished_at=now, made_at=now)
    ledger.settle(task, Money(Decimal(amount), Unit.CREDIT))
    totals.count(None, task)
    return task


def read(client: Client, run: Reconciliation | None = None, status: int = 200) -> str:
    response = client.get(f"/reconciliation/{run.pk}/" if run else "/reconciliation/")
    assert response.status_code == status
    return response.content.decode()


def press(client: Client, difference: Difference, how: str, **over: str) -> Any:
    shown = Difference.objects.get(pk=difference.pk).figures
    fields = {"difference": str(difference.pk), "how": how, "shown": shown, **over}
    return client.post(f"/reconciliation/{difference.run_id}/settle/", fields)


# --- Who may -------------------------------------------------------------------------------------------------------


def test_members_have_no_door_and_auditors_cannot_act(
    alice: User, auditor: User, desk: Client, run: Reconciliation
) -> None:
    difference = differ(run, "theirs", theirs=55)
    assert Client().get("/reconciliation/")["Location"].startswith("/accounts/sign-in/")
    read(signed_in(alice), status=403)
    read(signed_in(alice), run, 403)
    looks = signed_in(auditor)
    assert 'id="reconcile"' in read(looks), "comparing changes nothing in the books"
    assert "An administrator settles it." in read(looks, run)
    assert 'id="accept"' not in read(looks, run)
    fields = {"key": str(run.key.pk), "first": "2026-01-01", "last": "2026-01-02"}
    assert signed_in(alice).post("/reconciliation/", fields).status_code == 403
    for client in (looks, signed_in(alice)):
        assert press(client, difference, "book").status_code == 403
        assert client.post(f"/reconciliation/{run.pk}/accept/").status_code == 403
    assert not UsageEntry.objects.exists()
    assert Reconciliation.objects.count() == 1
    assert looks.post("/reconciliation/", fields).status_code == 302
    assert Reconciliation.objects.count() == 2


# --- Asking for a run ----------------------------------------------------------------------------------------------


def test_a_run_is_put_down_for_days_of_the_books(desk: Client, admin: User, key: ProviderKey, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Shanghai"
    last = totals.today() - timedelta(days=2)
    response = desk.post("/reconciliation/", {"key": key.pk, "first": str(last - timedelta(days=3)), "last": str(last)})
    found = Reconciliation.objects.get()
    assert response["Location"] == f"/reconciliation/{found.pk}/"
    assert (found.actor, found.state) == (admin, "waiting")
    assert found.from_at == totals.starts_at(last - timedelta(days=3))
    assert found.to_at == totals.starts_at(last + timedelta(days=1))
    assert [str(job.func()) for job in OrmQ.objects.all()] == ["generations.jobs.reconcile"]


def test_today_ends_now(desk: Client, key: ProviderKey) -> None:
    before = NOW()
    desk.post("/reconciliation/", {"key": key.pk, "first": str(totals.today()), "last": str(totals.today())})
    assert before <= Reconciliation.objects.get().to_at <= NOW()


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [
        (0, -1, "last"),
        (1, 1, "first"),
        (-200, 0, "last"),
        ("yesterday", 0, "first"),
        (0, "", "last"),
    ],
)
def test_bad_days_are_refused(desk: Client, key: ProviderKey, first: Any, last: Any, field: str) -> None:
    days = [str(totals.today() + timedelta(days=each)) if isinstance(each, int) else each for each in (first, last)]
    response = desk.post("/reconciliation/", {"key": key.pk, "first": days[0], "last": days[1]})
    assert response.status_code == 422
    assert f'id="error-{field}"' in response.content.decode()
    assert not Reconciliation.objects.exists()


def test_a_run_that_goes_on_is_looked_at_again(desk: Client, run: Reconciliation) -> None:
    Reconciliation.objects.update(state="running")
    address = f"/reconciliation/{run.pk}/"
    part = desk.get(address, headers=htmx()).content.decode()
    assert "<html" not in part
    assert f'hx-get="{address}"' in part
    Reconciliation.objects.update(state="complete")
    assert "hx-get" not in desk.get(address, headers=htmx()).content.decode()


# --- What was found ------------------------------------------------------------------------------------------------


def test_each_outcome_is_said_in_words(desk: Client, run: Reconciliation, alice: User) -> None:
    assert "Explained to the last amount" in read(desk, run)
    task = clip(alice, run.key)
    differ(run, "amount", ours=55, theirs=70, task=task)
    differ(run, "theirs", "42", theirs=50)
    differ(run, "ours", "43", ours=55, task=task)
    differ(run, "state", "44", task=task, facts={"state": "failed"})
    differ(run, "balance", "balance", ours=100, theirs=300)
    html = read(desk, run)
    for sentence in (
        "5 differences are open.",
        "Booked here: 55 credits. The vendor says 70 credits.",
        "Nobody made it here. The vendor charged 50 credits: made.",
        "Booked or held here: 55 credits. The vendor does not have it.",
        "It stands differently here; the vendor says: failed.",
        "The balance fell by 300 credits, and 100 credits were booked.",
        "29 characters of prompt",
        "Accept all external (1, 50 credits)",
    ):
        assert sentence in html, sentence


def test_an_incomplete_run_is_never_called_explained(desk: Client, run: Reconciliation) -> None:
    Reconciliation.objects.update(state="incomplete", error="repeats", unread=3)
    html = read(desk, run)
    assert "nothing may be called explained. The list repeats itself" in html
    assert "3 answers could not be read" in html
    assert "Explained" not in html


def test_a_vendor_without_a_list_says_so(desk: Client, run: Reconciliation, alice: User) -> None:
    Reconciliation.objects.update(lists=False, unconfirmed=1)
    make_task(alice, key=run.key, state="failed", finished_at=NOW() - timedelta(hours=1), prompt_text="Never told")
    html = read(desk, run)
    assert "Full list not available from this vendor" in html
    assert "1 charge is not confirmed" in html
    assert "Never told" in html


def test_the_balance_is_shown_per_hour(desk: Client, run: Reconciliation) -> None:
    hour = NOW().replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    for number, left in enumerate((100, 40)):
        at = hour + timedelta(hours=number, minutes=58)
        BalanceReading.objects.create(key=run.key, hour=hour + timedelta(hours=number), at=at, balance=left)
    assert "60 credits" in read(desk, run)


def test_balances_are_summed_when_a_run_is_over(
    desk: Client, run: Reconciliation, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("generations.views.reconciliation.steps", lambda *window: asked.append(window) or [])
    Reconciliation.objects.update(state="running")
    read(desk, run)
    assert not asked, "it walks every row of the window, and this page is asked every two seconds"
    Reconciliation.objects.update(state="complete")
    read(desk, run)
    assert len(asked) == 1


def test_runs_are_listed_by_key(desk: Client, run: Reconciliation) -> None:
    other = make_key("Other", "sandbox-not-a-real-key-0002")
    differ(run, "theirs", theirs=5)
    html = read(desk)
    assert "1 open" in html
    assert "By command" in html
    Reconciliation.objects.update(nightly=True)
    assert "By itself" in read(desk)
    assert f"/reconciliation/{run.pk}/" not in desk.get(f"/reconciliation/?key={other.pk}").content.decode()
    assert f"/reconciliation/{run.pk}/" in desk.get(f"/reconciliation/?key={run.key.pk}").content.decode()
    assert desk.get("/reconciliation/?key=9999999999999999999999&page=x").status_code == 200


def test_pages_cost_the_same_however_much_was_found(
    desk: Client, run: Reconciliation, django_assert_max_num_queries: Any
) -> None:
    for number in range(120):
        differ(run, "theirs", str(number), theirs=5)
    with django_assert_max_num_queries(24):
        html = read(desk, run)
    assert html.count('id="difference-') == 50
    assert "Page 1 of 3" in html
    with django_assert_max_num_queries(20):
        read(desk)


# --- Buttons -------------------------------------------------------------------------------------------------------


def test_the_vendors_amount_is_booked_once(desk: Client, run: Reconciliation, alice: User) -> None:
    task = clip(alice, run.key)
    difference = differ(run, "amount", ours=55, theirs=70, task=task)
    for _ in range(2):
        assert press(desk, difference, "book")["Location"] == f"/reconciliation/{run.pk}/"
    assert ledger.booked(task) == 70
    difference.refresh_from_db()
    assert (difference.state, difference.entry.amount) == ("settled", 15)  # type: ignore[union-attr]
    assert "Explained to the last amount" in read(desk, run)


@pytest.mark.parametrize(
    ("kind", "how", "kinds"),
    [
        ("theirs", "book", ["external"]),
        ("balance", "book", ["adjust"]),
        ("balance", "keep", []),
        ("theirs", "keep", []),
        ("theirs", "release", []),
        ("amount", "book", ["adjust"]),
        ("amount", "nonsense", []),
    ],
)
def test_a_button_does_what_it_may(desk: Client, run: Reconciliation, kind: str, how: str, kinds: list[str]) -> None:
    difference = differ(run, kind, ours=10 if kind != "theirs" else None, theirs=50)
    press(desk, difference, how, reason="the console says so")
    assert [entry.kind for entry in UsageEntry.objects.all()] == kinds
    difference.refresh_from_db()
    assert (difference.state == "settled") == bool(kinds or (how == "keep" and kind == "balance"))


@pytest.mark.parametrize("kind", ["amount", "state", "balance"])
def test_nothing_is_left_as_it_is_without_a_reason(desk: Client, run: Reconciliation, kind: str) -> None:
    difference = differ(run, kind, ours=10, theirs=50)
    assert "required" in read(desk, run).partition(f'id="reason-{difference.pk}"')[2].partition(">")[0]
    press(desk, difference, "keep", reason="  ")
    assert "Say why it is left as it is" in read(desk, run)
    difference.refresh_from_db()
    assert difference.state == "open"
    press(desk, difference, "keep", reason="their support knows")
    html = read(desk, run)
    assert "Explained; 1 difference was left as it is (40 credits)." in html
    assert "both books say the same" not in html
    assert ">Left as it is<" in html
    assert ">Explained, 1 left<" in read(desk)


def test_why_nothing_was_changed_is_said(desk: Client, run: Reconciliation) -> None:
    difference = differ(run, "amount", ours=10, theirs=50)
    assert 'name="shown" value="10 50"' in read(desk, run)
    Difference.objects.update(theirs=60)
    press(desk, difference, "book", shown="10 50")
    assert "the amounts are others by now" in read(desk, run)
    assert not UsageEntry.objects.exists()
    stranger = differ(run, "theirs", "42", facts={"state": "failed"})
    assert f'id="reason-{stranger.pk}"' in read(desk, run)
    press(desk, stranger, "keep")
    assert "Say why it is left as it is" in read(desk, run)
    press(desk, stranger, "keep", reason="failed, and not on the bill")
    assert "failed, and not on the bill" in read(desk, run)


def test_a_difference_of_another_run_is_not_found(desk: Client, run: Reconciliation) -> None:
    difference = differ(run, "theirs", theirs=50)
    other = Reconciliation.objects.create(key=run.key, from_at=run.from_at, to_at=run.to_at)
    fields = {"difference": difference.pk, "how": "book"}
    assert desk.post(f"/reconciliation/{other.pk}/settle/", fields).status_code == 404
    assert desk.post(f"/reconciliation/{run.pk}/settle/", {"difference": "x", "how": "book"}).status_code == 302
    assert desk.post(f"/reconciliation/{run.pk}/settle/", {"difference": "9" * 30, "how": "book"}).status_code == 302
    assert not UsageEntry.objects.exists()


def test_all_that_was_made_elsewhere_in_one_press(desk: Client, run: Reconciliation) -> None:
    for number in range(20):
        differ(run, "theirs", str(number), theirs=30)
    differ(run, "theirs", "running", theirs=None, facts={"state": "processing"})
    assert 'name="shown" value="20 600"' in read(desk, run)
    response = desk.post(f"/reconciliation/{run.pk}/accept/", {"shown": "20 600"}, follow=True)
    assert "Booked as external: 20 clips, 600 credits." in response.content.decode()
    assert UsageEntry.objects.filter(kind="external").count() == 20
    assert "1 difference is open." in response.content.decode()


@pytest.mark.parametrize("shown", ["", "1 30", "2 30", "2 60.5"])
def test_nothing_is_accepted_that_was_not_shown(desk: Client, run: Reconciliation, shown: str) -> None:
    for number in range(2):
        differ(run, "theirs", str(number), theirs=30)
    response = desk.post(f"/reconciliation/{run.pk}/accept/", {"shown": shown}, follow=True)
    assert "the amounts are others by now" in response.content.decode()
    assert not UsageEntry.objects.exists()


@pytest.mark.parametrize("shown", ["", "- 20"])
def test_nothing_is_settled_that_was_not_shown(desk: Client, run: Reconciliation, shown: str) -> None:
    press(desk, differ(run, "theirs", theirs=30), "book", shown=shown)
    assert not UsageEntry.objects.exists()


def test_the_list_of_runs_says_how_far_they_are_explained(desk: Client, run: Reconciliation) -> None:
    assert ">Explained<" in read(desk)
    for field in ("forgotten", "unconfirmed"):
        Reconciliation.objects.update(**{"forgotten": 0, "unconfirmed": 0, field: 2})
        assert ">Explained as far as the vendor tells<" in read(desk)
    Reconciliation.objects.update(unlisted=2)
    assert ">Explained but for the last hour<" in read(desk)
    Reconciliation.objects.update(unlisted=0, unconfirmed=0, lists=False)
    assert ">Explained, of what was sent from here<" in read(desk)


def test_the_admins_key_page_shows_the_same_badge(desk: Client, run: Reconciliation) -> None:
    """Also where what a run saw was found again and stands with a later one."""
    now = NOW()
    Reconciliation.objects.update(ended_at=now)
    differ(run, "theirs", theirs=50, found_at=now - timedelta(minutes=1))
    later = Reconciliation.objects.create(key=run.key, from_at=run.from_at, to_at=run.to_at, state="incomplete")
    Difference.objects.update(run=later)
    html = desk.get(reverse("admin:generations_providerkey_change", args=[run.key.pk])).content.decode()
    assert '<span class="badge" data-tone="warn">1 open</span>' in html
    assert '<span class="badge" data-tone="warn">Incomplete</span>' in html


def test_the_admin_shows_what_is_on_record_in_words(desk: Client, run: Reconciliation) -> None:
    facts = {"here": "succeeded", "how": "keep", "reason": "<b>their support</b> knows"}
    difference = differ(run, "amount", ours=10, theirs=50, state="settled", facts=facts)
    html = desk.get(reverse("admin:generations_difference_change", args=[difference.pk])).content.decode()
    for told in ("Model: viduq3-turbo", "Characters of prompt: 29", "The vendor says: made", "Here: Ready"):
        assert told in html
    assert "Decided: left as it is" in html
    assert "Reason: &lt;b&gt;their support&lt;/b&gt; knows" in html
    assert "prompt_length" not in html


@pytest.mark.parametrize("model", [Reconciliation, Difference, BalanceReading])
def test_every_field_has_a_name_that_can_be_translated(model: type[Model]) -> None:
    named = {field.name: field.verbose_name for field in model._meta.concrete_fields if field.name != "id"}
    assert [name for name, told in named.items() if not isinstance(told, Promise)] == []


# --- Into the library ----------------------------------------------------------------------------------------------


@pytest.fixture
def listed() -> Iterator[respx.Route]:
    with respx.mock:
        made = {"id": "1", "url": f"{VIDU}/clip.mp4", "cover_url": ""}
        echo = {"model": "viduq3-turbo", "prompt": "Somebody's boat", "type": "img2video", "duration": 4}
        row = {"id": "41", "state": "success", "credits": 50, "creations": [made], "resolution": "720p", **echo}
        row |= {"created_at": (NOW() - timedelta(days=1)).isoformat(), "aspect_ratio": "16:9", "key_id": "key_1"}
        answer = httpx.Response(200, json={"next_page_token": "", "tasks": [row]})
        yield respx.get(f"{VIDU}/ent/v2/tasks").mock(return_value=answer)


def adopted(desk: Client, run: Reconciliation, owner: User) -> Task | None:
    """Press the button, and do what the worker then does."""
    difference = differ(run, "theirs", theirs=50)
    press(desk, difference, "adopt", owner=str(owner.pk))
    jobs = [job for job in OrmQ.objects.all() if str(job.func()).endswith("adopt_stranger")]
    assert len(jobs) == 1
    assert "The worker takes it into the library." in read(desk, run)
    reconciliation.adopt(*jobs[0].args())
    return reconciliation.adopt(*jobs[0].args()) or Task.objects.first()


def test_a_strangers_clip_is_taken_into_the_library(
    desk: Client, admin: User, alice: User, run: Reconciliation, listed: respx.Route
) -> None:
    ProviderKey.objects.update(base_url=VIDU)
    adopted(desk, run, alice)
    task = Task.objects.get()
    assert (task.owner, task.state, task.mode, task.model, task.prompt_text) == (
        alice, "archiving", "img2video", "viduq3-turbo", "Somebody's boat",
    )  # fmt: skip
    assert (task.duration, task.resolution, task.charge, ledger.booked(task)) == (4, "720p", 50, 50)
    assert Attempt.objects.get().remote_id == "41"
    assert Creation.objects.get().source_url == f"{VIDU}/clip.mp4"
    assert next(each.kind for each in task.events.all()) == "adopted"
    difference = Difference.objects.get()
    assert (difference.state, difference.task, difference.closed_by) == ("adopted", task, admin)
    assert UsageEntry.objects.get().kind == "settle", "booked once, as ours"
    assert not totals.check(repair=False)
    assert listed.calls[0].request.url.params["task_ids"] == "41"


def test_what_was_booked_for_it_before_is_taken_back(
    desk: Client, alice: User, run: Reconciliation, listed: respx.Route
) -> None:
    ProviderKey.objects.update(base_url=VIDU)
    ledger.external(run.key, "41", Decimal(50), NOW() - timedelta(days=1), model="viduq3-turbo", note="")
    adopted(desk, run, alice)
    spent = UsageEntry.objects.filter(kind__in=ledger.SPENT).values_list("amount", flat=True)
    assert sum(spent) == 50
    assert not totals.check(repair=False)


def test_what_the_vendor_shows_no_more_stays_a_difference(
    desk: Client, alice: User, run: Reconciliation, listed: respx.Route
) -> None:
    ProviderKey.objects.update(base_url=VIDU)
    listed.mock(return_value=httpx.Response(200, json={"next_page_token": "", "tasks": []}))
    assert adopted(desk, run, alice) is None
    assert Difference.objects.get().state == "open"
    assert "It could not be taken into the library" in read(desk, run)


def test_what_was_booked_while_the_vendor_was_asked_is_not_adopted(
    admin: User, alice: User, run: Reconciliation, listed: respx.Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    ProviderKey.objects.update(base_url=VIDU)
    ask = listing.row_of

    def book_meanwhile(key: ProviderKey, remote_id: str, from_at: datetime, to_at: datetime) -> Snapshot | None:
        reconciliation.settle(Difference.objects.get(), "book", admin)
        return ask(key, remote_id, from_at, to_at)

    monkeypatch.setattr(listing, "row_of", book_meanwhile)
    difference = differ(run, "theirs", theirs=50)
    assert reconciliation.adopt(difference.pk, alice.pk, admin.pk) is None
    assert not Task.objects.exists()
    assert Difference.objects.get().state == "settled"
    assert UsageEntry.objects.get().kind == "external"


def test_the_buttons_come_back_after_a_worker_that_died(desk: Client, alice: User, run: Reconciliation) -> None:
    difference = differ(run, "theirs", theirs=50)
    reconciliation.ask_to_adopt(difference, alice, alice)
    assert 'value="adopt"' not in read(desk, run)
    long_ago = NOW() - timedelta(minutes=2, seconds=1)
    Difference.objects.update(facts=difference.facts | {"adopting": long_ago.isoformat()})
    html = read(desk, run)
    assert 'value="adopt"' in html
    assert "The worker takes it" not in html


def test_what_another_clip_is_already_cannot_be_adopted(
    desk: Client, alice: User, run: Reconciliation, listed: respx.Route
) -> None:
    ProviderKey.objects.update(base_url=VIDU)
    make_task(alice, key=run.key, state="queued", remote_id="41")
    adopted(desk, run, alice)
    assert Task.objects.count() == 1
    assert Difference.objects.get().facts["refused"] == "known"


def test_an_older_run_does_not_become_explained_by_a_later_one(desk: Client, run: Reconciliation) -> None:
    """What is found again stands with the later run, and the older one still knows it."""
    now = NOW()
    Reconciliation.objects.update(ended_at=now)
    difference = differ(run, "theirs", theirs=50, found_at=now - timedelta(minutes=1))
    later = Reconciliation.objects.create(
        key=run.key, from_at=run.from_at, to_at=run.to_at, state="complete", ended_at=NOW()
    )
    clean = Reconciliation.objects.create(
        key=run.key, from_at=run.from_at - timedelta(days=9), to_at=run.from_at, state="complete", ended_at=NOW()
    )
    Difference.objects.update(run=later)
    assert not run.is_explained
    assert clean.is_explained
    assert [each.still_open for each in Reconciliation.objects.with_open().order_by("pk")] == [1, 1, 0]
    assert "1 difference is open." in read(desk, run)
    press(desk, difference, "book")
    run.refresh_from_db()
    assert run.is_explained
