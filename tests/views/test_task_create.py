import uuid

from django.core.files.uploadedfile import SimpleUploadedFile

from generations.models import Asset, ProviderKey, Task, User
from tests.factories import make_asset, make_task, picture_bytes
from tests.views.pages import Form, composer_fields, htmx, signed_in


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


def test_pictures_go_in_and_come_back_with_a_remix(alice: User, key: ProviderKey) -> None:
    client = signed_in(alice)
    fields = composer_fields(client, prompt="From red to blue", mode="start-end2video", count="1")
    del fields["aspect_ratio"]
    first = SimpleUploadedFile("a.jpg", picture_bytes(640, 360, colour="#aa4444"))
    last = SimpleUploadedFile("b.jpg", picture_bytes(640, 360, colour="#4444aa"))
    done = client.post("/tasks/", fields | {"first_image": first, "last_image": last}, headers=htmx())
    assert done.status_code == 200, done.content.decode()
    used = list(Task.objects.get().task_inputs.values_list("asset_id", flat=True))
    # The slots are empty again after the press; a remix fills them.
    assert str(used[0]) not in Form(done.content.decode(), "composer").fields.values()
    remix = composer_fields(client, f"/?from={Task.objects.get().pk}")
    assert (remix["first_asset"], remix["last_asset"]) == (str(used[0]), str(used[1]))


def test_a_good_picture_survives_a_refused_form(alice: User, key: ProviderKey) -> None:
    client = signed_in(alice)
    fields = composer_fields(client, prompt="From red", mode="start-end2video", count="1")
    del fields["aspect_ratio"]
    first = SimpleUploadedFile("a.jpg", picture_bytes(640, 360))
    bad = SimpleUploadedFile("b.jpg", b"not a picture")
    refused = client.post("/tasks/", fields | {"first_image": first, "last_image": bad})
    assert refused.status_code == 422
    again = Form(refused.content.decode(), "composer").fields
    assert again["first_asset"] == str(Asset.objects.get().pk)
    assert again["last_asset"] == ""
    assert b'id="error-pictures"' in refused.content


def test_somebody_elses_picture_is_not_there(alice: User, charlie: User, key: ProviderKey) -> None:
    client = signed_in(charlie)
    asset = make_asset(alice)
    fields = composer_fields(client, prompt="x", mode="img2video", count="1", asset=str(asset.pk))
    del fields["aspect_ratio"]
    response = client.post("/tasks/", fields, headers=htmx())
    assert response.status_code == 422
    assert f"/media/assets/{asset.pk}/" not in response.content.decode()
