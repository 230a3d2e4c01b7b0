"""What a share link opens, for whom, with which headers; and that to outsiders all that is closed looks the same."""

import re
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from generations import sharing, tokens, visits
from generations.models import Batch, HouseRules, ProviderKey, ShareLink, ShareVisit, Task, User, Visibility
from generations.sharing import Terms
from tests.factories import make_creation, make_task, make_user
from tests.views.pages import signed_in

pytestmark = pytest.mark.django_db
CONTENT = bytes(range(256)) * 4
PROMPT = "A heron takes off from a misty lake"
OUTSIDE = Terms(audience="anyone", days=7, show_settings=False)
PHRASE = "open sesame"


@pytest.fixture(autouse=True)
def house(db: None) -> None:
    cache.clear()
    HouseRules.objects.create(pk=1, anyone_links=True)


@pytest.fixture
def clip(alice: User, key: ProviderKey) -> Task:
    task = make_task(alice, state="succeeded", prompt_text=PROMPT)
    make_creation(task, content=CONTENT)
    return task


@pytest.fixture
def team(alice: User, clip: Task) -> str:
    return sharing.make(alice, clip, Terms())[1]


@pytest.fixture
def anyone(alice: User, clip: Task) -> str:
    return sharing.make(alice, clip, OUTSIDE)[1]


def address(token: str, part: str = "", number: int = 1) -> str:
    return reverse(f"share-{part}", args=[token, number]) if part else reverse("share", args=[token])


def of(token: str) -> ShareLink:
    return ShareLink.objects.get(token_hash=tokens.hash_of(token))


def body(response: Any) -> bytes:
    return b"".join(response) if response.streaming else response.content


def read(client: Client, token: str, status: int = 200) -> str:
    response = client.get(address(token))
    assert response.status_code == status
    return response.content.decode()


# --- The page ----------------------------------------------------------------------------------------------------


def test_share(bob: User, team: str) -> None:
    html = read(signed_in(bob), team)
    assert PROMPT in html
    for part in ("video", "poster", "download"):
        assert address(team, part) in html
    for said in ("Shared by Alice Ames", "Open in VideoForge", "Remix", "Vidu Q3 Turbo"):
        assert said in html
    assert "<nav" not in html
    assert "htmx" not in html


def test_an_outsider_sees_the_clip_and_nothing_of_the_house(anyone: str, clip: Task) -> None:
    html = read(Client(), anyone)
    assert address(anyone, "video") in html
    assert "Shared by Alice Ames" in html
    assert "Open until" in html
    for hidden in (
        PROMPT,
        "heron",
        "Vidu",
        "Remix",
        "Open in",
        "<nav",
        '<a class="brand"',
        str(clip.pk),
        "og:",
        "<script",
    ):
        assert hidden not in html
    assert re.findall(r"<title>(.*)</title>", html) == ["Shared with you · VideoForge"]
    assert 'href="/"' not in html


def test_prompt_and_settings_are_shown_where_the_link_says_so(alice: User, clip: Task) -> None:
    _link, token = sharing.make(alice, clip, Terms(audience="anyone", days=7, show_settings=True, label="Round 2"))
    html = read(Client(), token)
    assert PROMPT in html
    assert "Round 2</h1>" in html
    assert "Round 2" not in html.partition("</title>")[0], "chat apps show the title"


def test_a_member_who_may_not_see_the_task_gets_no_way_in(bob: User, team: str) -> None:
    Task.objects.update(visibility=Visibility.PRIVATE)
    html = read(signed_in(bob), team)
    assert address(team, "video") in html
    assert "Open in VideoForge" not in html
    assert "Remix" not in html


def test_a_batch_shows_each_of_its_clips(alice: User, bob: User, key: ProviderKey) -> None:
    batch = Batch.objects.create(owner=alice, request_id=uuid.uuid4(), size=3)
    for position in range(2):
        task = make_task(alice, batch=batch, position=position, state="succeeded")
        make_creation(task, content=CONTENT[position:])
    make_task(alice, batch=batch, position=2, state="processing")
    _link, token = sharing.make(alice, batch, Terms())
    html = read(signed_in(bob), token)
    assert "2 shared clips" in html
    assert "1 clip is still being made" in html
    assert html.count("<video") == 2
    assert body(signed_in(bob).get(address(token, "video", 2))) == CONTENT[1:]
    for number in (0, 3, 4, 10**30):
        assert signed_in(bob).get(f"/s/{token}/video/{number}/").status_code == 404


def test_headers(bob: User, team: str, anyone: str) -> None:
    for client, token in ((signed_in(bob), team), (Client(), anyone), (Client(), "no-such-token")):
        response = client.get(address(token))
        assert response["Referrer-Policy"] == "no-referrer"
        assert response["X-Robots-Tag"] == "noindex, nofollow, noarchive"
        assert response["Cache-Control"] == "private, no-store"
        assert response["X-Frame-Options"] == "DENY"
        policy = response["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
    for part in ("video", "poster", "download"):
        response = Client().get(address(anyone, part))
        assert response["Cache-Control"] == "private, max-age=60, must-revalidate"
        assert response["X-Robots-Tag"] == "noindex, nofollow, noarchive"
        assert response["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("part", ["", "video", "poster", "download"])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_is_looked_at_and_no_more(anyone: str, part: str, method: str) -> None:
    assert getattr(Client(), method)(address(anyone, part)).status_code == 405


def test_a_team_link_asks_who_it_is(team: str, bob: User) -> None:
    response = Client().get(address(team))
    assert response.status_code == 302
    assert response["Location"] == f"/accounts/sign-in/?next=/s/{team}/"
    assert "no-store" in response["Cache-Control"]
    for part in ("video", "poster", "download"):
        assert Client().get(address(team, part)).status_code == 404


# --- Media -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["video", "download"])
def test_parts_of_a_clip(anyone: str, part: str) -> None:
    client, place = Client(), address(anyone, part)
    for header, status, expected in (
        ("bytes=0-1", 206, CONTENT[:2]),
        ("bytes=500-599", 206, CONTENT[500:600]),
        ("bytes=-24", 206, CONTENT[-24:]),
        ("bytes=9999-", 416, b""),
        ("", 200, CONTENT),
    ):
        response = client.get(place, headers={"Range": header} if header else {})
        assert (response.status_code, body(response)) == (status, expected)
    head = client.head(place)
    assert (head.status_code, head["Content-Length"], body(head)) == (200, str(len(CONTENT)), b"")
    again = client.get(place, headers={"If-None-Match": head["ETag"]})
    assert again.status_code == 304
    assert again["Cache-Control"].startswith("private, max-age=60")


@pytest.mark.parametrize("part", ["video", "poster", "download"])
@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-1"}, {"Range": "bytes=5-9"}, {"If-None-Match": "*"}])
def test_each_request_is_checked(anyone: str, alice: User, part: str, headers: dict[str, str]) -> None:
    client, place = Client(), address(anyone, part)
    assert client.get(place, headers=headers).status_code in (200, 206, 304)
    sharing.revoke(of(anyone), alice)
    for ask in (client.get, client.head):
        response = ask(place, headers=headers)
        assert response.status_code == 404
        assert response["Cache-Control"] == "private, no-store"


def test_a_download_is_an_attachment_with_a_harmless_name(alice: User, bob: User, team: str, anyone: str) -> None:
    told = signed_in(bob).get(address(team, "download"))["Content-Disposition"]
    assert told.startswith("attachment")
    assert "A-heron-takes" in told
    assert Client().get(address(anyone, "download"))["Content-Disposition"] == 'attachment; filename="clip-1.mp4"'
    assert Client().get(address(anyone, "video"))["Content-Disposition"] == "inline"
    odd = sharing.make(alice, Task.objects.get(), Terms("anyone", 7, label='../"x\r\ny', show_settings=False))[1]
    assert Client().get(address(odd, "download"))["Content-Disposition"] == 'attachment; filename="x-y-1.mp4"'


def test_without_downloads_there_is_no_button_and_nothing_behind_it(alice: User, clip: Task) -> None:
    _link, token = sharing.make(alice, clip, Terms("anyone", 7, allow_download=False))
    html = read(Client(), token)
    assert "Download" not in html
    assert 'controlslist="nodownload"' in html
    assert Client().get(address(token, "download")).status_code == 404
    assert Client().get(address(token, "video"))["Content-Disposition"] == "inline"


def test_a_lost_file_is_the_same_nothing(anyone: str, clip: Task) -> None:
    creation = clip.creations.get()
    creation.file.storage.delete(creation.file.name)
    assert alike(Client().get(address(anyone, "video"))) == alike(Client().get(address("never-was", "video")))


# --- What is closed ----------------------------------------------------------------------------------------------


def alike(response: Any) -> tuple[Any, ...]:
    return response.status_code, body(response), sorted(response.headers.items()), response.cookies.output()


def expire(link: ShareLink, _alice: User) -> None:
    ShareLink.objects.filter(pk=link.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


def switch_off(_link: ShareLink, _alice: User) -> None:
    HouseRules.objects.update(anyone_links=False)


def send_away(link: ShareLink, _alice: User) -> None:
    User.objects.filter(pk=link.owner_id).update(is_active=False)


def empty(link: ShareLink, _alice: User) -> None:
    """Its owner may not see the clip any more."""
    other = make_user("dora")
    ShareLink.objects.filter(pk=link.pk).update(owner=other)
    Task.objects.update(visibility=Visibility.PRIVATE)


CLOSINGS: list[Callable[[ShareLink, User], Any]] = [expire, sharing.revoke, switch_off, send_away, empty]
PLACES = ["", "video", "poster", "download", "unlock", "ask"]


def ask(client: Client, token: str, part: str) -> Any:
    if part in ("unlock", "ask"):
        return client.post(reverse(f"share-{part}", args=[token]), {"passphrase": PHRASE})
    return client.get(address(token, part))


@pytest.mark.parametrize("close", CLOSINGS, ids=lambda close: close.__name__)
@pytest.mark.parametrize("part", PLACES)
@pytest.mark.parametrize("phrase", ["", PHRASE])
def test_to_outsiders_all_that_is_closed_is_the_same(
    alice: User, clip: Task, close: Any, part: str, phrase: str
) -> None:
    link, token = sharing.make(alice, clip, Terms("anyone", 7, passphrase=phrase))
    known = Client()
    read(known, token)
    if phrase:
        known.post(reverse("share-unlock", args=[token]), {"passphrase": phrase})
    close(link, alice)
    never = alike(ask(Client(), "A" * 43, part))
    assert never[0] == 404
    assert alike(ask(Client(), token, part)) == never
    assert alike(ask(known, token, part)) == never, "with cookies of better times too"


def test_a_link_of_the_team_that_ended_is_the_same_nothing(alice: User, team: str) -> None:
    sharing.revoke(of(team), alice)
    for part in PLACES:
        assert alike(ask(Client(), team, part)) == alike(ask(Client(), "A" * 43, part))


def test_people_of_the_house_hear_when_it_ended_and_whom_to_ask(alice: User, bob: User, team: str) -> None:
    client = signed_in(bob)
    sharing.revoke(of(team), alice)
    html = read(client, team, 410)
    assert "This link ended on" in html
    assert "Ask Alice Ames for a new one." in html
    assert PROMPT not in html
    assert read(client, "A" * 43, 404)
    for part in ("video", "poster", "download"):
        assert client.get(address(team, part)).status_code == 404


@pytest.mark.parametrize(
    ("close", "said"),
    [(expire, "This link ended on"), (switch_off, "switched off at the moment"), (empty, "is gone")],
    ids=["expired", "off", "empty"],
)
def test_why_it_ended(alice: User, bob: User, anyone: str, close: Any, said: str) -> None:
    close(of(anyone), alice)
    assert said in read(signed_in(bob), anyone, 410)


def test_share_ask(alice: User, bob: User, team: str) -> None:
    client = signed_in(bob)
    sharing.revoke(of(team), alice)
    place = reverse("share-ask", args=[team])
    assert f'action="{place}"' in read(client, team, 410)
    assert client.post(place)["Location"] == address(team)
    asked = ShareVisit.objects.get().asked_at
    client.post(place)
    visit = ShareVisit.objects.get()
    assert (visit.person, visit.asked_at, visit.views) == (bob, asked, 0)
    again = read(client, team, 410)
    assert "You asked Alice Ames" in again
    assert place not in again
    listed = signed_in(alice).get(reverse("share-links")).content.decode()
    assert "bob asked for a new link" in listed


def test_who_may_not_ask(alice: User, bob: User, team: str) -> None:
    auditor = make_user("auditor", role="auditor")
    place = reverse("share-ask", args=[team])
    assert signed_in(bob).post(place)["Location"] == address(team)
    assert not ShareVisit.objects.exists(), "it is open: nothing to ask for"
    sharing.revoke(of(team), alice)
    assert signed_in(auditor).post(place).status_code == 403
    assert "Request" not in read(signed_in(auditor), team, 410)
    assert Client().post(place).status_code == 404
    own = read(signed_in(alice), team, 410)
    assert "It is yours" in own
    assert not ShareVisit.objects.exists()


def test_an_expired_link_opens_again_under_its_address(alice: User, bob: User, team: str) -> None:
    expire(of(team), alice)
    read(signed_in(bob), team, 410)
    sharing.extend(of(team), 7)
    read(signed_in(bob), team)


# --- Passphrase --------------------------------------------------------------------------------------------------


@pytest.fixture
def locked(alice: User, clip: Task) -> str:
    return sharing.make(alice, clip, Terms("anyone", 7, passphrase=PHRASE))[1]


def unlock(client: Client, token: str, phrase: str = PHRASE, **meta: str) -> Any:
    return client.post(reverse("share-unlock", args=[token]), {"passphrase": phrase}, **meta)


def test_share_unlock(locked: str) -> None:
    client = Client()
    html = read(client, locked)
    assert "This link has a passphrase" in html
    for hidden in ("<video", "Alice", PROMPT):
        assert hidden not in html
    for part in ("video", "poster", "download"):
        assert client.get(address(locked, part)).status_code == 404
    opened = unlock(client, locked)
    assert (opened.status_code, opened["Location"]) == (302, address(locked))
    cookie = opened.cookies["share_unlocked"]
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"]) == ("Lax", address(locked))
    assert PHRASE not in cookie.value
    assert "<video" in read(client, locked)
    for part in ("video", "poster", "download"):
        assert client.get(address(locked, part), headers={"Range": "bytes=0-1"}).status_code in (200, 206)
        assert Client().get(address(locked, part)).status_code == 404


def test_the_form_of_the_passphrase_works_with_forgery_protection(locked: str) -> None:
    """A browser that may name no address calls the origin "null"; such a form would be refused."""
    client = Client(enforce_csrf_checks=True)
    page = client.get(address(locked))
    assert page["Referrer-Policy"] == "same-origin"
    [word] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.content.decode())
    place = reverse("share-unlock", args=[locked])
    fields = {"passphrase": PHRASE, "csrfmiddlewaretoken": word}
    assert client.post(place, fields, headers={"Origin": "null"}).status_code == 403
    assert client.post(place, {"passphrase": PHRASE}).status_code == 403
    assert client.post(place, fields, headers={"Origin": "http://testserver"}).status_code == 302


def test_a_wrong_passphrase_says_so(locked: str) -> None:
    response = unlock(Client(), locked, "open caraway")
    assert response.status_code == 422
    html = response.content.decode()
    assert "That is not the passphrase" in html
    assert 'aria-invalid="true"' in html
    assert "open caraway" not in html
    assert not response.cookies.get("share_unlocked")


def test_too_many_tries_are_said_with_their_end(locked: str) -> None:
    client = Client()
    for _ in range(5):
        assert unlock(client, locked, "wrong").status_code == 422
    response = unlock(client, locked)
    assert response.status_code == 429
    assert "The next one is possible in 10 minutes." in response.content.decode()
    assert 590 <= int(response["Retry-After"]) <= 600
    assert not response.cookies.get("share_unlocked")
    assert unlock(Client(), locked, REMOTE_ADDR="192.0.2.9").status_code == 302
    # A proxy on this machine tells who it was; anybody else may claim what they like.
    seen = {"X-Forwarded-For": "192.0.2.77"}
    place = reverse("share-unlock", args=[locked])
    assert client.post(place, {"passphrase": PHRASE}, headers=seen).status_code == 302
    for _ in range(5):
        assert unlock(client, locked, "wrong", REMOTE_ADDR="198.51.100.1").status_code == 422
    liar = client.post(place, {"passphrase": PHRASE}, headers=seen, REMOTE_ADDR="198.51.100.1")
    assert liar.status_code == 429


def test_a_passphrase_of_no_link_and_of_a_link_without_one(anyone: str, team: str) -> None:
    assert unlock(Client(), "A" * 43).status_code == 404
    assert unlock(Client(), team).status_code == 404, "not signed in"
    assert unlock(Client(), anyone)["Location"] == address(anyone)
    assert unlock(Client(), anyone, "x" * 1_000_000).status_code == 302


def test_its_owner_and_the_team_need_it_too(alice: User, bob: User, clip: Task) -> None:
    _link, token = sharing.make(alice, clip, Terms(passphrase=PHRASE))
    for person in (alice, bob):
        client = signed_in(person)
        assert "<video" not in read(client, token)
        unlock(client, token)
        assert "<video" in read(client, token)


@pytest.mark.django_db(transaction=True)
def test_tries_in_parallel_get_no_further(alice: User, key: ProviderKey) -> None:
    task = make_task(alice, state="succeeded")
    _link, token = sharing.make(alice, task, Terms("anyone", 7, passphrase=PHRASE))
    ready, statuses = threading.Barrier(10), []

    def attempt() -> None:
        ready.wait()
        try:
            statuses.append(unlock(Client(), token, "wrong").status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=attempt) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [422] * 5 + [429] * 5


# --- Counting ----------------------------------------------------------------------------------------------------


def counts(token: str) -> tuple[int, int]:
    link = of(token)
    return link.view_count, link.download_count


def test_a_member_counts_by_name_and_an_outsider_as_a_number(bob: User, anyone: str) -> None:
    client, stranger = signed_in(bob), Client()
    for _ in range(3):
        read(client, anyone)
        read(stranger, anyone)
    read(Client(REMOTE_ADDR="192.0.2.9"), anyone)
    assert counts(anyone) == (3, 0)
    assert {visit.person: visit.views for visit in ShareVisit.objects.all()} == {bob: 1, None: 2}
    cookie = stranger.cookies["share_seen"]
    assert (cookie["path"], cookie["max-age"], cookie["httponly"]) == (address(anyone), 1800, True)
    assert client.cookies.get("share_seen") is None


def test_half_an_hour_later_it_is_another_view(anyone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    read(client, anyone)
    monkeypatch.setattr(visits, "ONCE_IN", timedelta(seconds=-1))
    cache.clear()
    read(client, anyone)
    assert counts(anyone)[0] == 2


def test_who_takes_no_note_counts_once_for_where_they_are(anyone: str, alice: User, clip: Task) -> None:
    other = sharing.make(alice, clip, OUTSIDE)[1]
    for number in range(20):
        read(Client(REMOTE_ADDR=f"2001:db8:1:2::{number + 1:x}"), anyone)
    read(Client(REMOTE_ADDR="2001:db8:1:2::1"), other)
    assert (counts(anyone), counts(other)) == ((1, 0), (1, 0))


def test_looking_without_seeing_is_no_view(alice: User, anyone: str, locked: str) -> None:
    for part in ("video", "poster"):
        Client().get(address(anyone, part), headers={"Range": "bytes=0-1"})
    Client().head(address(anyone))
    read(signed_in(alice), anyone)
    read(Client(), locked)
    assert counts(anyone) == counts(locked) == (0, 0)


def test_a_download_counts_once(bob: User, anyone: str) -> None:
    client, place = signed_in(bob), address(anyone, "download")
    client.head(place)
    client.get(place, headers={"Range": "bytes=500-"})
    client.get(place, headers={"Range": "bytes=99999-"})
    client.get(place, headers={"If-None-Match": "*"})
    assert counts(anyone) == (0, 0)
    client.get(place)
    client.get(place, headers={"Range": "bytes=0-499"})
    client.get(place, headers={"Range": "bytes=500-"})
    assert counts(anyone) == (0, 2), "one whole, one in two parts"
    assert ShareVisit.objects.get().downloads == 2


def test_one_link_costs_a_page_the_same_whatever_it_shows(
    alice: User, bob: User, key: ProviderKey, django_assert_max_num_queries: Any
) -> None:
    batch = Batch.objects.create(owner=alice, request_id=uuid.uuid4(), size=8)
    for position in range(8):
        make_creation(make_task(alice, batch=batch, position=position, state="succeeded"))
    _link, token = sharing.make(alice, batch, Terms())
    client = signed_in(bob)
    read(client, token)
    with django_assert_max_num_queries(14):
        read(client, token)
    with django_assert_max_num_queries(6):
        client.get(address(token, "video", 3), headers={"Range": "bytes=0-1"})
