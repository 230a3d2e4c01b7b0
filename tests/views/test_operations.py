"""What administrators watch: figures that are those of the lists behind them, and nobody else sees them."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from generations import operations
from generations.models import Creation, Lease, ProviderKey, Task, User, VendorRequest
from generations.views.operations import LISTS
from tests.factories import make_creation, make_key, make_task
from tests.views.pages import htmx, signed_in


@pytest.fixture
def desk(admin: User) -> Client:
    return signed_in(admin)


def read(client: Client, address: str = "/operations/", status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status
    return response.content.decode()


def figure(html: str, name: str) -> str:
    found = re.search(rf'id="figure-{name}"[^>]*><span class="figure">(.*?)</span>', html)
    assert found, name
    return found[1]


def pending(task: Task, **left: float) -> Creation:
    return make_creation(task, state="pending", deadline=timezone.now() + timedelta(**left))


def one_of_each(owner: User) -> dict[str, Task]:
    """For each list one clip that is in it; some are in two."""
    now = timezone.now()
    tasks = {
        "archived": make_task(owner, state="succeeded"),
        "pending": make_task(owner, state="archiving"),
        "at-risk": make_task(owner, state="archiving"),
        "lost": make_task(owner, state="lost"),
        "uncertain": make_task(owner, state="uncertain", failure_class="ambiguous_submit", failure_code="read_timeout"),
        "overdue": make_task(owner, state="processing", submitted_at=now - timedelta(minutes=46)),
        "not-answering": make_task(owner, state="queued", submitted_at=now, poll_errors=3, last_polled_at=now),
    }
    make_task(owner)
    make_task(owner, state="processing", off_peak=True, submitted_at=now - timedelta(hours=48), poll_errors=2)
    make_task(owner, state="failed", failure_class="content_policy", submitted_at=now - timedelta(days=2))
    make_creation(tasks["archived"])
    pending(tasks["pending"], hours=20)
    pending(tasks["at-risk"], hours=3)
    return tasks


# --- Who may ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["/operations/", "/operations/lost/"])
def test_it_is_for_staff(alice: User, admin: User, key: ProviderKey, address: str) -> None:
    assert Client().get(address)["Location"].startswith("/accounts/sign-in/")
    read(signed_in(alice), address, 403)
    read(signed_in(admin), address)
    assert signed_in(admin).post(address).status_code == 405


def test_the_way_there_is_in_menus_of_staff(alice: User, desk: Client, key: ProviderKey) -> None:
    assert 'href="/operations/"' not in read(signed_in(alice), "/")
    assert 'href="/operations/"' in read(desk, "/")
    assert 'href="/operations/"' in read(desk, "/admin/")


# --- Figures and lists --------------------------------------------------------------------------------------------


def test_every_figure_is_the_length_of_its_list(alice: User, desk: Client, key: ProviderKey) -> None:
    tasks = one_of_each(alice)
    counts = operations.counts()
    html = read(desk)
    for name in LISTS:
        page = operations.page_of(name)
        assert len(page.tasks) == counts[name] == int(figure(html, name)), name
        assert f'href="/operations/{name}/"' in html
    assert counts == {
        "finished": 4, "archived": 1, "pending": 2, "lost": 1, "at-risk": 1, "uncertain": 1, "overdue": 1,
        "not-answering": 1,
    }  # fmt: skip
    for name, task in tasks.items():
        assert f'href="/tasks/{task.pk}/"' in read(desk, f"/operations/{name}/"), name


def test_off_peak_clips_are_overdue_later(alice: User, key: ProviderKey) -> None:
    sent = timezone.now() - timedelta(hours=48)
    task = make_task(alice, state="queued", off_peak=True, submitted_at=sent)
    assert operations.counts()["overdue"] == 0
    Task.objects.filter(pk=task.pk).update(submitted_at=sent - timedelta(hours=2))
    assert operations.counts()["overdue"] == 1


def test_a_clip_with_two_copies_at_risk_is_one_clip(alice: User, desk: Client, key: ProviderKey) -> None:
    task = make_task(alice, state="archiving")
    for _output in range(2):
        pending(task, hours=2)
    assert (
        operations.counts()["at-risk"] == operations.copies_at_risk() == len(operations.page_of("at-risk").tasks) == 1
    )


def test_lists_name_what_is_known(alice: User, desk: Client, key: ProviderKey) -> None:
    tasks = one_of_each(alice)
    Creation.objects.filter(task=tasks["at-risk"]).update(last_error="The disk is full.")
    unclear = read(desk, "/operations/uncertain/")
    assert "no answer came in time" in unclear
    assert f'href="/tasks/{tasks["uncertain"].pk}/decide/"' in unclear
    risky = read(desk, "/operations/at-risk/")
    assert re.search(r"Link dies in 2:5\d h\.", risky)
    assert "The disk is full." in risky
    assert "Vendor not answering since" in read(desk, "/operations/not-answering/")
    assert "At the vendor for 46 min." in read(desk, "/operations/overdue/")


def test_a_list_of_another_name_does_not_exist(desk: Client) -> None:
    read(desk, "/operations/secrets/", 404)
    assert "None" in read(desk, "/operations/lost/")


def test_a_long_list_goes_on(alice: User, desk: Client, key: ProviderKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "PAGE", 3)
    tasks = [make_task(alice, state="lost") for _ in range(7)]
    seen: list[str] = []
    address = "/operations/lost/"
    for expected in (3, 3, 1):
        html = desk.get(address, headers=htmx()).content.decode()
        assert ("<!doctype" in html) == (address == "/operations/lost/")
        rows = re.findall(r'href="/tasks/([0-9a-f-]{36})/"', html)
        assert len(rows) == expected
        seen += rows
        more = re.search(r'hx-get="(.*?)"', html.partition('id="more-rows"')[2])
        address = more[1] if more else ""
    assert seen == [str(task.pk) for task in reversed(tasks)]
    assert not address
    assert "<!doctype" in read(desk, f"/operations/lost/?before={tasks[3].pk}")


def test_the_next_deadline(alice: User, desk: Client, key: ProviderKey) -> None:
    assert "No deadline ahead" in read(desk)
    late, soon = make_task(alice, state="archiving"), make_task(alice, state="archiving")
    pending(late, hours=20)
    pending(soon, hours=5, minutes=30, seconds=20)
    html = read(desk)
    assert re.search(rf'href="/tasks/{soon.pk}/"><span class="figure">5:30 h</span>', html)
    Creation.objects.filter(task=soon).update(deadline=timezone.now() - timedelta(minutes=1))
    assert '<span class="figure">0:00 h</span>' in read(desk)


def test_keys_that_rest_are_named_with_their_reason(alice: User, desk: Client, key: ProviderKey) -> None:
    assert "every active key takes new work" in read(desk)
    ProviderKey.objects.update(problem="credits", problem_at=timezone.now(), last_error="CreditInsufficient")
    make_task(alice)
    make_key("Draining one", secret="another-secret-1", state="draining")
    make_key("Put away", secret="another-secret-2", state="disabled", problem="auth")
    html = read(desk)
    for said in ("Studio", "No credits left", "CreditInsufficient", "Draining one", f"providerkey/{key.pk}/change/"):
        assert said in html
    assert "Put away" not in html


def test_requests_are_told_per_clip(alice: User, desk: Client, key: ProviderKey) -> None:
    assert "Nothing was sent in this time." in read(desk)
    for number in (1, 4):
        task = make_task(alice, state="succeeded")
        assert task.attempt
        VendorRequest.objects.create(attempt=task.attempt, kind="create", said="accepted")
        VendorRequest.objects.create(attempt=task.attempt, kind="list", said="queueing", times=number)
    [line] = operations.request_lines()
    assert (line.vendor, line.sent, line.per_task["create"], line.per_task["list"]) == ("Vidu", 2, 1.0, 2.5)
    assert re.search(r"<td data-label=[^>]*>2.5</td>", read(desk))


# --- Banners ------------------------------------------------------------------------------------------------------


@pytest.fixture
def beating(db: None) -> Iterator[None]:
    for name in ("rounds", "pulse"):
        Lease.objects.create(key=name, beat_at=timezone.now())
    return


def test_copies_at_risk_are_a_banner_for_staff(alice: User, desk: Client, key: ProviderKey, beating: None) -> None:
    assert "copies-at-risk" not in read(desk, "/")
    pending(make_task(alice, state="archiving"), hours=2)
    assert "1 clip has no copy yet" in read(desk, "/library/")
    assert "copies-at-risk" not in read(signed_in(alice), "/")
    Creation.objects.update(deadline=timezone.now() + timedelta(hours=5))
    assert "copies-at-risk" not in read(desk, "/")


def test_a_silent_worker_is_told_to_all(alice: User, desk: Client, key: ProviderKey, beating: None) -> None:
    for client in (desk, signed_in(alice)):
        assert "worker-silent" not in read(client, "/")
    assert 'id="worker-alive" data-tone="ok"' in read(desk)
    Lease.objects.update(beat_at=timezone.now() - timedelta(minutes=2))
    for client in (desk, signed_in(alice)):
        assert "worker-silent" in read(client, "/")
    assert 'id="worker-alive" data-tone="bad"' in read(desk)


# --- Cost ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["/operations/", *(f"/operations/{name}/" for name in LISTS)])
def test_the_number_of_queries_does_not_grow(alice: User, desk: Client, key: ProviderKey, address: str) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            read(desk, address)
        return len(queries)

    one_of_each(alice)
    few = count()
    for number in range(4):
        one_of_each(alice)
        make_key(f"Key {number}", secret=f"another-secret-{number}", problem="auth")
    assert count() == few
    assert few <= 24
