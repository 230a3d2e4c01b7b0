"""Which hosts a result may be copied from, who says so, and that a refused copy waits for it. Over real sockets."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from generations import delivery, polling, saving
from generations.models import AllowedHost, Creation, CreationState, Task, User
from generations.outgoing import guard_for, try_refused_again
from generations.providers import PROVIDERS
from generations.providers.base import Output, RemoteState, Snapshot
from tests.clips import make_clip
from tests.factories import make_creation, make_key, make_task, make_user
from tests.servers import says, serving
from tests.views.pages import signed_in

pytestmark = pytest.mark.django_db
ADD = "admin:generations_allowedhost_add"
CHANGE = "admin:generations_allowedhost_change"
DELETE = "admin:generations_allowedhost_delete"
LIST = "admin:generations_allowedhost_changelist"
SENTENCE = "“127.0.0.2” is not on the public internet. An administrator can allow it under “Allowed hosts”."


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture
def clip(tmp_path: Path) -> bytes:
    return make_clip(tmp_path / "c.mp4", seconds=0.5)


@pytest.fixture
def desk(admin: User) -> Client:
    return signed_in(admin)


def creation_at(owner: User, url: str, **over: Any) -> Creation:
    """Of a key whose base address is 127.0.0.1, unless there is another one."""
    task = make_task(owner, state="archiving")
    return make_creation(task, state="pending", source_url=url, stored_at=None, **over)


def save(creation: Creation) -> Creation:
    Creation.objects.update(next_try_at=timezone.now(), claimed_until=None)
    saving.save(str(creation.pk))
    creation.refresh_from_db()
    return creation


def pause(creation: Creation) -> float:
    return (creation.next_try_at - timezone.now()).total_seconds()


class TestCopies:
    def test_a_refused_address_loses_nothing_and_is_copied_once_it_is_allowed(
        self, alice: User, desk: Client, clip: bytes
    ) -> None:
        with serving(says(200, clip, content_type="video/mp4"), host="127.0.0.2") as url:
            creation = save(creation_at(alice, f"{url}/v.mp4", tries=8))
            assert (creation.state, creation.last_error) == (CreationState.PENDING, SENTENCE)
            assert 60 < pause(creation) <= 300, "tried again by itself, too"
            assert Task.objects.get().state == "archiving"
            answer = desk.post(reverse(ADD), {"host": "127.0.0.2"}, follow=True)
            assert "1 copy is tried again." in answer.content.decode()
            creation.refresh_from_db()
            assert pause(creation) <= 0
            saving.save(str(creation.pk))
        creation.refresh_from_db()
        assert (creation.state, creation.size) == (CreationState.STORED, len(clip))
        assert Task.objects.get().state == "succeeded"

    def test_it_is_not_given_up_while_the_link_lives(self, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
        same = Snapshot("1", RemoteState.SUCCEEDED, "success", outputs=(Output(0, "http://127.0.0.2:9/v.mp4"),))
        monkeypatch.setattr(polling, "fetch_snapshot", lambda task: same)
        creation = creation_at(alice, "http://127.0.0.2:9/v.mp4", tries=500)
        for left in (timedelta(hours=20), timedelta(minutes=30), timedelta(minutes=-30)):
            Creation.objects.update(deadline=timezone.now() + left)
            assert save(creation).state == CreationState.PENDING
            assert creation.last_error.startswith(SENTENCE)

    def test_a_redirect_into_the_house_is_refused_too(self, alice: User, clip: bytes) -> None:
        with (
            serving(says(200, clip), host="127.0.0.2") as inside,
            serving(says(302, b"", Location=f"{inside}/v.mp4")) as url,
        ):
            assert save(creation_at(alice, url)).last_error == SENTENCE

    def test_a_cover_that_is_refused_leaves_the_clip(self, alice: User, clip: bytes) -> None:
        with serving(says(200, clip, content_type="video/mp4")) as url:
            creation = save(creation_at(alice, f"{url}/v.mp4", cover_url="http://127.0.0.2:9/c.jpg"))
        assert creation.state == CreationState.STORED
        assert creation.poster.read().startswith(b"\xff\xd8")

    def test_a_web_page_is_told_and_then_asked_for_by_the_hour(
        self, alice: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page = says(200, b"<html>" * 20_000, content_type="text/html")
        with serving(page) as url:
            same = Snapshot("1", RemoteState.SUCCEEDED, "success", outputs=(Output(0, url),))
            monkeypatch.setattr(polling, "fetch_snapshot", lambda task: same)
            creation = save(creation_at(alice, url))
            assert creation.last_error == "The vendor's link gave a web page, which is no clip."
            assert pause(creation) < 10
            assert pause(save(creation)) > 3500
        assert creation.state == CreationState.PENDING


class TestWhatIsAllowed:
    @pytest.mark.parametrize(
        ("base_url", "host", "may"),
        [
            ("http://127.0.0.1:9", "127.0.0.1", True),
            ("http://localhost:9/kyyReactApiServer", "127.0.0.1", True),
            ("http://127.0.0.1:9", "127.0.0.2", False),
            ("https://127.0.0.2:9", "127.0.0.2", True),
            ("https://10.9.8.7/vidu", "10.9.8.7", True),
            ("https://10.9.8.7/vidu", "10.9.8.8", False),
            ("https://169.254.169.254", "169.254.169.254", False),
            ("nonsense", "127.0.0.1", False),
        ],
    )
    def test_the_host_of_the_keys_own_address(self, alice: User, base_url: str, host: str, may: bool) -> None:
        make_key(base_url=base_url)
        guard = guard_for(creation_at(alice, "http://x.example"))
        assert (guard.why_not(host, host) == "") is may

    def test_the_address_that_is_frozen_with_the_attempt_counts(self, alice: User) -> None:
        creation = creation_at(alice, "http://x.example")
        type(creation.task.key).objects.update(base_url="https://10.9.8.7")
        creation.task.key.refresh_from_db()
        guard = guard_for(creation)
        assert (guard.why_not("127.0.0.1", "127.0.0.1"), guard.why_not("10.9.8.7", "10.9.8.7") != "") == ("", True)

    @pytest.mark.parametrize("slug", PROVIDERS)
    def test_a_vendors_own_address_is_public_and_opens_nothing(self, alice: User, slug: str) -> None:
        """It names its hosts itself, and could name our own database's address tomorrow."""
        (base_url, *_) = PROVIDERS[slug].base_urls
        make_key(provider=slug, base_url=base_url)
        host = base_url.split("/")[2]
        guard = guard_for(creation_at(alice, "http://x.example"))
        assert guard.why_not(host, "127.0.0.1")
        assert guard.why_not(host, "93.184.216.34") == ""

    @pytest.mark.parametrize("entry", ["127.0.0.0/24", "127.0.0.2", "*.corp"])
    def test_the_table_counts(self, alice: User, entry: str) -> None:
        creation = creation_at(alice, "http://x.example")
        assert guard_for(creation).why_not("media.corp", "127.0.0.2")
        AllowedHost.objects.create(host=entry)
        assert guard_for(creation).why_not("media.corp", "127.0.0.2") == ""

    def test_only_what_was_refused_is_woken(self, alice: User) -> None:
        later = timezone.now() + timedelta(minutes=4)
        other = creation_at(alice, "http://x.example", last_error="The copy broke off (timeout).", next_try_at=later)
        refused = creation_at(alice, "http://127.0.0.2/", last_error=SENTENCE + " More.", next_try_at=later)
        assert try_refused_again() == 1
        for each in (other, refused):
            each.refresh_from_db()
        assert (other.next_try_at == later, refused.next_try_at <= timezone.now()) == (True, True)


class TestTable:
    def test_an_entry_is_kept_in_one_spelling_with_who_added_it(self, desk: Client, admin: User) -> None:
        desk.post(reverse(ADD), {"host": " 10.20.30.40/16 ", "note": "our gateway"})
        row = AllowedHost.objects.get()
        assert (row.host, row.added_by, row.note) == ("10.20.0.0/16", admin, "our gateway")
        assert LogEntry.objects.get_for_object(row).get().actor == admin

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ("http://media.corp", "without http://"),
            ("media.corp:8080", "without http://"),
            ("127.1", "without http://"),
            ("0.0.0.0/0", "too wide"),
            ("169.254.169.254", "No request may go there"),
            ("10.20.0.0/16", "already exists"),
        ],
    )
    def test_what_is_no_entry_is_refused_with_a_sentence(self, desk: Client, typed: str, said: str) -> None:
        AllowedHost.objects.create(host="10.20.0.0/16")
        assert said in desk.post(reverse(ADD), {"host": typed}).content.decode()
        assert AllowedHost.objects.count() == 1

    def test_the_same_in_another_spelling_is_there_already(self, desk: Client) -> None:
        AllowedHost.objects.create(host="10.20.0.0/16")
        assert "already exists" in desk.post(reverse(ADD), {"host": "10.20.7.0/16"}).content.decode()

    def test_a_host_stays_what_it_was_and_can_go(self, desk: Client) -> None:
        row = AllowedHost.objects.create(host="media.corp")
        desk.post(reverse(CHANGE, args=[row.pk]), {"host": "evil.corp", "note": "studio"})
        row.refresh_from_db()
        assert (row.host, row.note) == ("media.corp", "studio")
        desk.post(reverse(DELETE, args=[row.pk]), {"post": "yes"})
        assert not AllowedHost.objects.exists()

    def test_auditors_look_and_members_do_not(self) -> None:
        row = AllowedHost.objects.create(host="media.corp")
        auditor = signed_in(make_user("auditor", role="auditor", is_staff=True))
        assert "media.corp" in auditor.get(reverse(LIST)).content.decode()
        for client in (auditor, signed_in(make_user("member"))):
            client.post(reverse(ADD), {"host": "evil.corp"})
            client.post(reverse(CHANGE, args=[row.pk]), {"note": "x"})
            client.post(reverse(DELETE, args=[row.pk]), {"post": "yes"})
        assert list(AllowedHost.objects.values_list("host", "note")) == [("media.corp", "")]


class TestChatServices:
    """The operator's own address may be inside the house; nobody leads us on from there."""

    def test_a_service_in_the_house_is_told(self) -> None:
        with serving(says(200, b"ok"), host="127.0.0.2") as url:
            assert delivery._chat(url.replace("http", "json"), "A budget", "is used up") == ""

    @pytest.mark.parametrize("wish", ["", "?redirect=yes"])
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_no_redirect_is_followed(self, status: int, wish: str) -> None:
        asked: list[str] = []

        def there(request: Any) -> None:
            asked.append(request.path)
            says(200, b"ok")(request)

        with serving(there, host="127.0.0.2") as inside, serving(says(status, b"", Location=inside)) as url:
            said = delivery._chat(f"{url.replace('http', 'json')}/{wish}", "A budget", "is used up")
        assert (said, asked) == ("chat: not taken", [])
