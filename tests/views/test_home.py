from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from generations.models import ProviderKey, User, Visibility
from tests.factories import make_creation, make_task
from tests.views.pages import Form, composer_fields, htmx, signed_in


def page(user: User, address: str = "/") -> str:
    return signed_in(user).get(address).content.decode()


def test_it_asks_strangers_to_sign_in(db: None) -> None:
    response = Client().get("/")
    assert response.status_code == 302
    assert response["Location"] == "/accounts/sign-in/?next=/"


def test_it_shows_the_composer_and_ones_own_tasks(alice: User, bob: User, key: ProviderKey) -> None:
    mine, theirs = make_task(alice), make_task(bob)
    html = page(alice)
    assert f'id="task-{mine.pk}" data-state="waiting"' in html
    assert f"task-{theirs.pk}" not in html
    assert 'id="composer"' in html
    assert 'id="generate"' in html


def test_the_team_scope_leaves_out_what_is_private(alice: User, bob: User, admin: User, key: ProviderKey) -> None:
    shared = make_task(alice, prompt_text="for all")
    private = make_task(alice, prompt_text="for me", visibility=Visibility.PRIVATE)
    assert f"task-{shared.pk}" in page(bob, "/?scope=team")
    assert f"task-{private.pk}" not in page(bob, "/?scope=team")
    assert f"task-{private.pk}" in page(alice, "/?scope=team")
    assert f"task-{private.pk}" in page(admin, "/?scope=team")


def test_an_empty_feed_offers_starters_that_work_without_scripts(alice: User, key: ProviderKey) -> None:
    html = page(alice)
    assert html.count("data-starter=") == 3
    assert composer_fields(signed_in(alice), "/?prompt=A+fox")["prompt"] == "A fox"


def test_state_and_search_narrow_the_feed(alice: User, key: ProviderKey) -> None:
    boat = make_task(alice, prompt_text="A paper boat")
    owl = make_task(alice, prompt_text="An owl", state="failed", failure_class="content_policy")
    assert f"task-{owl.pk}" in page(alice, "/?state=failed")
    assert f"task-{boat.pk}" not in page(alice, "/?state=failed")
    assert f"task-{boat.pk}" in page(alice, "/?q=paper")
    assert f"task-{owl.pk}" not in page(alice, "/?q=paper")
    assert "Nothing matches" in page(alice, "/?q=zebra")


def test_unknown_scopes_and_states_do_not_exist(alice: User) -> None:
    client = signed_in(alice)
    assert client.get("/?scope=world").status_code == 404
    assert client.get("/?state=asleep").status_code == 404


def test_more_is_loaded_by_a_link_that_also_works_for_htmx(alice: User, key: ProviderKey) -> None:
    tasks = [make_task(alice, prompt_text=f"clip {number}") for number in range(30)]
    client = signed_in(alice)
    html = client.get("/").content.decode()
    assert html.count('class="card"') == 24
    before = tasks[6].pk
    assert f"before={before}" in html
    plain = client.get(f"/?before={before}").content.decode()
    assert plain.count('class="card"') == 6
    assert "<!doctype html>" in plain
    newest = str(tasks[-1].pk)
    part = client.get("/", {"before": before, "newest": newest, "oldest": before, "v": ""}, headers=htmx())
    html = part.content.decode()
    assert html.count('class="card"') == 6
    assert "<!doctype" not in html
    # The poller now reaches down to the oldest card, and still knows the newest.
    assert f'name="oldest" value="{tasks[0].pk}"' in html
    assert f'name="newest" value="{newest}"' in html


def test_htmx_gets_the_results_alone_but_a_restored_page_is_whole(alice: User, key: ProviderKey) -> None:
    client = signed_in(alice)
    part = client.get("/?state=failed", headers=htmx())
    assert part.content.decode().lstrip().startswith('<div id="results">')
    assert "HX-Request" in part["Vary"]
    whole = client.get("/?state=failed", headers=htmx(**{"HX-History-Restore-Request": "true"}))
    assert b"<!doctype html>" in whole.content


def test_remix_takes_over_everything_but_the_seed(alice: User, key: ProviderKey) -> None:
    task = make_task(alice, prompt_text="A heron", seed=48213, duration=4, resolution="720p", aspect_ratio="9:16")
    fields = composer_fields(signed_in(alice), f"/?from={task.pk}")
    assert fields["prompt"] == "A heron"
    assert fields["duration"] == "4"
    assert fields["aspect_ratio"] == "9:16"
    assert fields["remix_of"] == str(task.pk)
    assert fields["seed"] == ""


def test_nobody_remixes_what_they_may_not_see(alice: User, charlie: User, key: ProviderKey) -> None:
    task = make_task(alice, prompt_text="A secret", visibility=Visibility.PRIVATE)
    html = page(charlie, f"/?from={task.pk}")
    assert "A secret" not in html
    assert "remix_of" not in Form(html, "composer").fields


def test_the_number_of_queries_does_not_grow_with_the_feed(alice: User, key: ProviderKey) -> None:
    client = signed_in(alice)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/").status_code == 200
        return len(queries)

    make_creation(make_task(alice, state="succeeded"))
    make_task(alice)
    few = count()
    for _number in range(8):
        make_creation(make_task(alice, state="succeeded"))
        make_task(alice)
    assert count() == few
    assert few <= 22
