from datetime import timedelta

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from generations.models import ProviderKey, Task, User, Visibility
from tests.factories import make_creation, make_task
from tests.views.pages import htmx, signed_in


def ready(owner: User, **over: object) -> Task:
    task = make_task(owner, state="succeeded", **over)
    make_creation(task)
    return task


def page(user: User, **query: object) -> str:
    return signed_in(user).get("/library/", query).content.decode()


def test_it_shows_finished_clips_of_everybody_by_day(alice: User, bob: User, key: ProviderKey) -> None:
    old = ready(alice, created_at=timezone.now() - timedelta(days=40))
    yesterday = ready(alice, created_at=timezone.now() - timedelta(days=1))
    mine, running = ready(bob), make_task(alice)
    html = page(bob)
    assert [html.index(f"task-{task.pk}") for task in (mine, yesterday, old)] == sorted(
        html.index(f"task-{task.pk}") for task in (mine, yesterday, old)
    )
    assert '<h2 class="day">Today</h2>' in html
    assert '<h2 class="day">Yesterday</h2>' in html
    assert f"task-{running.pk}" not in html


def test_what_is_private_stays_with_its_owner_and_staff(
    alice: User, bob: User, charlie: User, admin: User, key: ProviderKey
) -> None:
    task = ready(alice, visibility=Visibility.PRIVATE)
    for person, sees in ((alice, True), (bob, False), (charlie, False), (admin, True)):
        assert (f"task-{task.pk}" in page(person)) is sees, person


def test_filters_are_part_of_the_address(alice: User, bob: User, key: ProviderKey) -> None:
    boat = ready(alice, prompt_text="A paper boat")
    image = ready(bob, prompt_text="An owl", mode="img2video")
    failed = make_task(bob, state="failed", prompt_text="A failed one")
    found = {
        "q": (page(alice, q="paper"), boat),
        "person": (page(alice, person=bob.pk), image),
        "mode": (page(alice, mode="img2video"), image),
        "state": (page(alice, state="failed"), failed),
    }
    for name, (html, task) in found.items():
        assert html.count('class="card"') == 1, name
        assert f"task-{task.pk}" in html, name
    assert page(alice, person="9" * 30, mode="x", state="y").count('class="card"') == 2
    assert "Nothing matches" in page(alice, q="zebra")


def test_an_empty_library_says_what_will_be_there(alice: User) -> None:
    assert "Nothing here yet" in page(alice)


def test_more_goes_on_under_the_same_day(alice: User, key: ProviderKey) -> None:
    tasks = [ready(alice) for _number in range(26)]
    client = signed_in(alice)
    html = client.get("/library/").content.decode()
    assert html.count('class="card"') == 24
    assert f"before={tasks[2].pk}" in html
    more = client.get("/library/", {"before": tasks[2].pk}, headers=htmx()).content.decode()
    assert more.count('class="card"') == 2
    assert "Today" not in more
    assert "load-more" not in more
    assert client.get("/library/", {"before": "nonsense"}).status_code == 200


def test_htmx_gets_the_results_alone(alice: User, key: ProviderKey) -> None:
    ready(alice)
    response = signed_in(alice).get("/library/", {"q": ""}, headers=htmx())
    assert response.content.decode().lstrip().startswith('<div id="results">')
    assert "HX-Request" in response["Vary"]


def test_the_number_of_queries_does_not_grow(alice: User, key: ProviderKey) -> None:
    client = signed_in(alice)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get("/library/")
        return len(queries)

    ready(alice)
    few = count()
    for _number in range(6):
        ready(alice)
    assert count() == few


def test_strangers_are_sent_to_sign_in(db: None) -> None:
    assert Client().get("/library/").status_code == 302
