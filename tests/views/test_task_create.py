import uuid

from generations.models import ProviderKey, Task, User
from tests.factories import make_task
from tests.views.pages import composer_fields, htmx, signed_in


def test_a_press_makes_tasks_and_answers_with_their_cards(alice: User, key: ProviderKey) -> None:
    client = signed_in(alice)
    fields = composer_fields(client, prompt="A heron", count="2")
    response = client.post("/tasks/", fields, headers=htmx())
    assert response.status_code == 200
    html = response.content.decode()
    tasks = list(Task.objects.order_by("-pk"))
    assert [task.prompt_text for task in tasks] == ["A heron"] * 2
    assert 'hx-swap-oob="afterbegin:#grid"' in html
    assert html.index(f"task-{tasks[0].pk}") < html.index(f"task-{tasks[1].pk}")
    assert "Queued 2 videos" in html
    # The composer keeps what was typed and gets a new request id.
    assert "A heron</textarea>" in html
    assert fields["request_id"] not in html
    assert f'name="newest" value="{tasks[0].pk}"' in html


def test_the_same_press_twice_makes_one_batch_and_no_second_card(alice: User, key: ProviderKey) -> None:
    client = signed_in(alice)
    fields = composer_fields(client, prompt="A heron", count="2")
    client.post("/tasks/", fields, headers=htmx())
    newest = str(Task.objects.order_by("-pk")[0].pk)
    again = client.post("/tasks/", fields | {"newest": newest}, headers=htmx())
    assert Task.objects.count() == 2
    assert b"afterbegin:#grid" not in again.content


def test_an_error_comes_back_with_the_composer_and_a_summary(alice: User, key: ProviderKey) -> None:
    client = signed_in(alice)
    response = client.post("/tasks/", composer_fields(client, prompt=""), headers=htmx())
    assert response.status_code == 422
    html = response.content.decode()
    assert html.lstrip().startswith('<form class="composer" id="composer"')
    assert 'id="composer-errors" tabindex="-1"' in html
    assert 'aria-invalid="true" aria-describedby="error-prompt"' in html
    assert 'href="#prompt"' in html
    assert not Task.objects.exists()


def test_without_scripts_success_redirects_and_errors_show_the_whole_page(alice: User, key: ProviderKey) -> None:
    client = signed_in(alice)
    done = client.post("/tasks/", composer_fields(client, prompt="A heron", count="1"))
    assert (done.status_code, done["Location"]) == (302, "/")
    assert b"Queued 1 video" in client.get("/").content
    wrong = client.post("/tasks/", composer_fields(client, prompt=""))
    assert wrong.status_code == 422
    assert b"<!doctype html>" in wrong.content
    assert b"composer-errors" in wrong.content
    assert Task.objects.count() == 1


def test_without_scripts_the_options_are_renewed_and_nothing_is_sent(alice: User, key: ProviderKey) -> None:
    client = signed_in(alice)
    fields = composer_fields(client, prompt="A heron", mode="start-end2video", update="1")
    response = client.post("/tasks/", fields)
    assert response.status_code == 200
    html = response.content.decode()
    assert html.count('type="file"') == 2
    assert "A heron</textarea>" in html
    assert "composer-errors" not in html
    assert not Task.objects.exists()


def test_forged_values_are_refused(alice: User, key: ProviderKey) -> None:
    client = signed_in(alice)
    for name, value in (("resolution", "16K"), ("duration", "9999"), ("count", "400"), ("request_id", "x")):
        response = client.post("/tasks/", composer_fields(client, prompt="A heron", **{name: value}), headers=htmx())
        assert response.status_code == 422, name
    assert not Task.objects.exists()


def test_it_needs_somebody_signed_in_and_a_post(alice: User, key: ProviderKey) -> None:
    client = signed_in(alice)
    assert client.get("/tasks/").status_code == 405
    client.logout()
    assert client.post("/tasks/", {"prompt": "x", "request_id": uuid.uuid4()}).status_code == 302
    assert not Task.objects.exists()


def test_a_remix_remembers_its_source(alice: User, bob: User, key: ProviderKey) -> None:
    source = make_task(alice)
    client = signed_in(bob)
    client.post("/tasks/", composer_fields(client, f"/?from={source.pk}", count="1"))
    assert Task.objects.get(owner=bob).remix_of == source
