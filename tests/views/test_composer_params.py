from django.test import Client

from generations.models import ProviderKey, User
from tests.views.pages import htmx, signed_in


def test_it_answers_with_what_the_mode_takes(alice: User, key: ProviderKey) -> None:
    client = signed_in(alice)
    text = client.get("/composer/params/", {"mode": "text2video"}, headers=htmx()).content.decode()
    frames = client.get("/composer/params/", {"mode": "start-end2video"}, headers=htmx()).content.decode()
    assert text.count('type="file"') == 0
    assert frames.count('type="file"') == 2
    assert text.lstrip().startswith('<div id="params"')


def test_estimate_and_button_follow_the_number_of_variants(alice: User, key: ProviderKey) -> None:
    html = signed_in(alice).get("/composer/params/", {"mode": "text2video", "count": "3"}, headers=htmx())
    assert b'id="estimate" hx-swap-oob="true"' in html.content
    assert b"Generate 3 videos" in html.content


def test_a_value_that_the_model_does_not_take_is_moved_and_said(alice: User, key: ProviderKey) -> None:
    asked = {"mode": "text2video", "duration": "900"}
    html = signed_in(alice).get("/composer/params/", asked, headers=htmx()).content.decode()
    assert "changed from 900" in html
    assert html.index('hx-swap-oob="innerHTML:#say"') < html.rindex("changed from 900")


def test_nonsense_is_not_a_server_error(alice: User, key: ProviderKey) -> None:
    asked = {"mode": "x", "model": "y", "count": "many", "request_id": "?", "remix_of": "!", "seed": "é", "key": "-"}
    assert signed_in(alice).get("/composer/params/", asked, headers=htmx()).status_code == 200


def test_it_works_without_any_key(alice: User) -> None:
    assert signed_in(alice).get("/composer/params/").status_code == 200
    assert signed_in(alice).get("/").status_code == 200


def test_strangers_are_sent_to_sign_in(db: None) -> None:
    assert Client().get("/composer/params/").status_code == 302
