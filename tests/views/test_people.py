import pytest
from django.test import Client
from django.utils import timezone

from generations.models import ProviderKey, User
from tests.factories import make_task
from tests.views.pages import htmx, signed_in


def test_sign_in_leads_back_to_where_one_was_going(alice: User) -> None:
    client = Client()
    page = client.get("/accounts/sign-in/?next=/library/").content.decode()
    assert 'name="next" value="/library/"' in page
    response = client.post("/accounts/sign-in/", {"username": "alice", "password": "pass", "next": "/library/"})
    assert (response.status_code, response["Location"]) == (302, "/library/")


def test_a_wrong_password_says_so_and_keeps_the_name(alice: User) -> None:
    html = Client().post("/accounts/sign-in/", {"username": "alice", "password": "no"}).content.decode()
    assert 'role="alert"' in html
    assert 'value="alice"' in html
    assert 'aria-invalid="true"' in html


def test_signing_out_takes_a_post(alice: User) -> None:
    client = signed_in(alice)
    assert client.get("/accounts/sign-out/").status_code == 405
    assert client.post("/accounts/sign-out/")["Location"] == "/accounts/sign-in/"
    assert client.get("/").status_code == 302


def test_theme_and_language_are_kept_with_the_person(alice: User) -> None:
    client = signed_in(alice)
    response = client.post("/settings/look/", {"theme": "dark", "language": "zh-hans", "next": "/library/"})
    assert response["Location"] == "/library/"
    assert response.cookies["videoforge_language"].value == "zh-hans"
    alice.refresh_from_db()
    assert (alice.theme, alice.language) == ("dark", "zh-hans")
    html = client.get("/").content.decode()
    assert '<html lang="zh-hans" data-theme="dark">' in html


@pytest.mark.parametrize("there", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)", ""])
def test_it_never_leads_elsewhere(alice: User, there: str) -> None:
    response = signed_in(alice).post("/settings/look/", {"theme": "light", "next": there})
    assert response["Location"] == "/"


def test_unknown_themes_and_languages_change_nothing(alice: User) -> None:
    signed_in(alice).post("/settings/look/", {"theme": "neon", "language": "../../etc"})
    alice.refresh_from_db()
    assert (alice.theme, alice.language) == ("auto", "")


def test_the_setting_beats_the_cookie_and_the_cookie_beats_the_browser(alice: User) -> None:
    client = signed_in(alice)
    asked = {"Accept-Language": "zh-hans"}
    assert b'<html lang="zh-hans"' in client.get("/", headers=asked).content
    client.cookies["videoforge_language"] = "en"
    assert b'<html lang="en"' in client.get("/", headers=asked).content
    User.objects.update(language="zh-hans")
    answer = client.get("/", headers=asked)
    assert b'<html lang="zh-hans"' in answer.content
    assert answer["Content-Language"] == "zh-hans"


def test_times_are_shown_in_the_persons_zone(alice: User, key: ProviderKey) -> None:
    noon = timezone.now().replace(hour=12, minute=34, second=0)
    task = make_task(alice, created_at=noon)
    User.objects.update(time_zone="Asia/Shanghai")
    assert b"20:34" in signed_in(alice).get(f"/tasks/{task.pk}/").content
    User.objects.update(time_zone="Mars/Olympus")
    assert b"12:34" in signed_in(alice).get(f"/tasks/{task.pk}/").content


def test_a_fragment_of_somebody_signed_out_moves_the_whole_page(alice: User, key: ProviderKey) -> None:
    task = make_task(alice)
    client = Client()
    for address in ("/composer/params/", f"/tasks/{task.pk}/live/", "/library/"):
        response = client.get(address, headers=htmx(**{"HX-Current-URL": "http://testserver/library/?q=a"}))
        assert response.status_code == 204
        assert response["HX-Redirect"] == "/accounts/sign-in/?next=%2Flibrary%2F%3Fq%3Da"
    without = client.get("/composer/params/", headers=htmx())
    assert without["HX-Redirect"] == "/accounts/sign-in/?next=%2F"
