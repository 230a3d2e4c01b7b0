"""The dialog of a clip, one's own links, and what the admin shows and does."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import check_password
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from generations import sharing, visits
from generations.limits import Limit
from generations.models import Batch, HouseRules, ProviderKey, ShareLink, Task, User, Visibility
from generations.sharing import Terms
from tests.factories import make_creation, make_task, make_user
from tests.views.pages import Form, htmx, signed_in

pytestmark = pytest.mark.django_db
OUTSIDE = Terms(audience="anyone", days=7, show_settings=False)
LISTED = reverse("admin:generations_sharelink_changelist")


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


@pytest.fixture
def clip(alice: User, key: ProviderKey) -> Task:
    task = make_task(alice, state="succeeded", prompt_text="A heron takes off")
    make_creation(task)
    return task


@pytest.fixture
def auditor(db: None) -> User:
    return make_user("auditor", role="auditor")


def dialog_of(task: Task) -> str:
    return reverse("task-share", args=[task.pk])


def fields(client: Client, task: Task, **over: str) -> dict[str, str]:
    """What a browser sends of the form, of the switches those that are on."""
    sent = Form(client.get(dialog_of(task)).content.decode(), "share-form").fields | over
    return {name: value for name, value in sent.items() if value != "off"}


def make(client: Client, task: Task, **over: str) -> Any:
    return client.post(dialog_of(task), fields(client, task, **over), headers=htmx())


def anyone_on(days: int = 30) -> None:
    HouseRules.objects.update_or_create(pk=1, defaults={"anyone_links": True, "anyone_days": days})


# --- Making ------------------------------------------------------------------------------------------------------


def test_task_share(alice: User, bob: User, clip: Task) -> None:
    response = make(signed_in(alice), clip, label="Round 2")
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    [address] = re.findall(r'id="share-address" value="([^"]+)"', response.content.decode())
    assert re.fullmatch(r"http://testserver/s/[\w-]{43}/", address)
    link = ShareLink.objects.get()
    assert (link.audience, link.label, link.owner, link.task) == ("team", "Round 2", alice, clip)
    assert (link.expires_at, link.allow_download, link.show_settings) == (None, True, True)
    assert "A heron" in signed_in(bob).get(address).content.decode()
    again = signed_in(alice).get(dialog_of(clip)).content.decode()
    assert address not in again, "it is told once"
    assert f"…{link.token_end}" in again


def test_the_address_is_that_of_the_house(alice: User, clip: Task, settings: Any) -> None:
    settings.VIDEOFORGE_PUBLIC_URL = "https://videos.example"
    assert 'value="https://videos.example/s/' in make(signed_in(alice), clip).content.decode()


def test_it_works_as_a_page_of_its_own(alice: User, clip: Task) -> None:
    client = signed_in(alice)
    page = client.get(dialog_of(clip)).content.decode()
    assert "<h1>Share</h1>" in page
    assert "hx-post" not in page.partition('id="share-form"')[2].partition("</form>")[0]
    made = client.post(dialog_of(clip), fields(client, clip)).content.decode()
    assert 'id="share-address"' in made
    assert "<h1>Share</h1>" in made
    link = ShareLink.objects.get()
    gone = client.post(reverse("share-revoke", args=[link.pk]), {"task": str(clip.pk)})
    assert gone["Location"] == dialog_of(clip)
    link.refresh_from_db()
    assert link.revoked_by == alice


def test_all_that_can_be_chosen(alice: User, clip: Task) -> None:
    anyone_on()
    wish = {
        "audience": "anyone", "anyone_days": "3", "anyone_details": "on", "allow_download": "off",
        "passphrase": " open sesame ",
    }  # fmt: skip
    assert make(signed_in(alice), clip, **wish).status_code == 200
    link = ShareLink.objects.get()
    assert link.expires_at is not None
    assert abs(link.expires_at - timezone.now() - timedelta(days=3)) < timedelta(minutes=1)
    assert (link.allow_download, link.show_settings) == (False, True)
    assert check_password(" open sesame ", link.passphrase_hash), "spaces count"


def test_for_anyone_the_prompt_stays_hidden_and_seven_days_are_offered(alice: User, clip: Task) -> None:
    anyone_on()
    make(signed_in(alice), clip, audience="anyone")
    link = ShareLink.objects.get()
    assert not link.show_settings
    assert link.expires_at is not None
    assert abs(link.expires_at - timezone.now() - timedelta(days=7)) < timedelta(minutes=1)


def test_a_house_with_fewer_days_offers_no_more(alice: User, clip: Task) -> None:
    anyone_on(days=5)
    page = signed_in(alice).get(dialog_of(clip)).content.decode()
    choices = re.findall(r'<option value="(\d*)"', page.partition('name="anyone_days"')[2].partition("</select>")[0])
    assert choices == ["1", "3", "5"]
    forged = make(signed_in(alice), clip, audience="anyone", anyone_days="30")
    assert forged.status_code == 422
    assert not ShareLink.objects.exists()


def test_a_batch_can_be_shared_whole(alice: User, key: ProviderKey) -> None:
    batch = Batch.objects.create(owner=alice, request_id=uuid.uuid4(), size=2)
    first, _second = (make_task(alice, batch=batch, position=place, state="succeeded") for place in range(2))
    client = signed_in(alice)
    assert "All 2 clips of the batch" in client.get(dialog_of(first)).content.decode()
    make(client, first, what="batch")
    link = ShareLink.objects.get()
    assert (link.task, link.batch) == (None, batch)


@pytest.mark.parametrize(
    ("wish", "field", "said"),
    [
        ({"passphrase": "short"}, "passphrase", "Use six characters or more."),
        ({"passphrase": "x" * 129}, "passphrase", "at most 128 characters"),
        ({"label": "x" * 121}, "label", "at most 120 characters"),
        ({"label": "a\0b"}, "label", "Null characters"),
        ({"team_days": "3650"}, "team_days", "not one of the available choices"),
        ({"audience": "world"}, "audience", "not one of the available choices"),
        ({"audience": ""}, "audience", "required"),
        ({"what": "house"}, "what", "not one of the available choices"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(
    alice: User, clip: Task, wish: dict[str, str], field: str, said: str
) -> None:
    typed = {"label": "Kept title", "passphrase": "kept phrase", "team_days": "30"} | wish
    response = make(signed_in(alice), clip, **typed)
    assert response.status_code == 422
    html = response.content.decode()
    assert f'href="#share-{field}"' in html
    assert said in html
    assert not ShareLink.objects.exists()
    for name in ("label", "passphrase"):
        if field != name:
            assert f'value="{typed[name]}"' in html
    if field != "team_days":
        assert '<option value="30" selected>' in html


def test_links_for_anyone_are_not_offered_and_a_forged_wish_is_refused(alice: User, bob: User, clip: Task) -> None:
    page = signed_in(alice).get(dialog_of(clip)).content.decode()
    assert 'value="anyone"' not in page
    assert "Links for anyone are switched off" in page
    forged = {"audience": "anyone", "anyone_days": "7"}
    refused = make(signed_in(alice), clip, **forged)
    assert (refused.status_code, ShareLink.objects.count()) == (422, 0)
    assert "Links for anyone are switched off" in refused.content.decode()
    anyone_on()
    assert 'value="anyone"' in signed_in(alice).get(dialog_of(clip)).content.decode()
    assert 'value="anyone"' not in signed_in(bob).get(dialog_of(clip)).content.decode()
    refused = make(signed_in(bob), clip, **forged)
    assert (refused.status_code, ShareLink.objects.count()) == (422, 0)
    assert "Only the owner of a clip" in refused.content.decode()


def test_rules_that_change_between_form_and_link_are_said(
    alice: User, clip: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    anyone_on()
    client = signed_in(alice)
    real = sharing.make

    def change_first(*args: Any) -> Any:
        HouseRules.objects.update(anyone_days=2)
        return real(*args)

    monkeypatch.setattr(sharing, "make", change_first)
    response = make(client, clip, audience="anyone")
    assert response.status_code == 422
    assert "at most 2 days" in response.content.decode()


def test_more_links_than_hands_make_are_refused_and_nothing_is_lost(
    alice: User, bob: User, clip: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("generations.views.share_links.MADE", Limit("share-link", 2, 600))
    client = signed_in(alice)
    assert make(client, clip, passphrase="short").status_code == 422, "no link, no place"
    for _ in range(2):
        assert make(client, clip).status_code == 200
    response = make(client, clip, label="Kept title", passphrase="kept phrase")
    html = response.content.decode()
    assert response.status_code == 422
    for said in ("The next one is possible in 10 minutes.", "No link was made yet", "Kept title", "kept phrase"):
        assert said in html
    assert ShareLink.objects.count() == 2
    assert make(signed_in(bob), clip).status_code == 200


def test_a_link_that_may_not_be_its_owners_says_why(bob: User, clip: Task) -> None:
    anyone_on()
    admin = make_user("mia", role="admin")
    link, token = sharing.make(admin, clip, OUTSIDE)
    admin.role = "member"
    admin.save()
    client = signed_in(admin)
    html = client.get(reverse("share-links")).content.decode()
    assert "Only the owner of a clip and administrators may open it to anyone." in html
    assert reverse("share-extend", args=[link.pk]) not in html
    assert client.post(reverse("share-extend", args=[link.pk]), {"days": "30"}, headers=htmx()).status_code == 422
    ended = signed_in(bob).get(reverse("share", args=[token]))
    assert ended.status_code == 410
    assert "switched off" not in ended.content.decode()
    assert Client().get(reverse("share", args=[token])).status_code == 404


def test_a_private_clip_says_what_sharing_does(alice: User, bob: User, clip: Task) -> None:
    sentence = "A link opens it for everyone signed in"
    assert sentence not in signed_in(alice).get(dialog_of(clip)).content.decode()
    Task.objects.update(visibility=Visibility.PRIVATE)
    assert sentence in signed_in(alice).get(dialog_of(clip)).content.decode()
    assert signed_in(bob).get(dialog_of(clip)).status_code == 404
    assert signed_in(bob).post(dialog_of(clip), {"audience": "team"}).status_code == 404


def test_an_auditor_makes_none(auditor: User, alice: User, clip: Task) -> None:
    client = signed_in(auditor)
    assert client.get(dialog_of(clip)).status_code == 403
    assert client.post(dialog_of(clip), {"audience": "team"}).status_code == 403
    assert not ShareLink.objects.exists()
    assert dialog_of(clip) not in client.get("/library/").content.decode()
    assert dialog_of(clip) not in client.get(f"/tasks/{clip.pk}/").content.decode()
    assert dialog_of(clip) in signed_in(alice).get("/library/").content.decode()
    assert dialog_of(clip) in signed_in(alice).get(f"/tasks/{clip.pk}/").content.decode()


def test_what_is_not_ready_has_no_share_button(alice: User, key: ProviderKey) -> None:
    task = make_task(alice, state="processing")
    assert dialog_of(task) not in signed_in(alice).get("/").content.decode()


def test_strangers_sign_in_first(clip: Task) -> None:
    for name in ("share-links", "share-revoke-all"):
        assert Client().post(reverse(name)).status_code in (302, 405)
    for response in (Client().get(dialog_of(clip)), Client().get(reverse("share-links"))):
        assert response["Location"].startswith("/accounts/sign-in/")


# --- Those that there are ----------------------------------------------------------------------------------------


def test_the_dialog_lists_the_links_to_this_clip(alice: User, bob: User, clip: Task) -> None:
    sharing.make(bob, clip, Terms(label="Of Bob"))
    gone, _ = sharing.make(alice, clip, Terms(label="Revoked one"))
    sharing.revoke(gone, alice)
    elsewhere = make_task(alice, state="succeeded")
    sharing.make(alice, elsewhere, Terms(label="Of another clip"))
    html = signed_in(alice).get(dialog_of(clip), headers=htmx()).content.decode()
    assert "1 link to this" in html
    assert "Of Bob" in html
    assert "Revoked one" not in html
    assert "Of another clip" not in html


def test_share_revoke(alice: User, bob: User, charlie: User, auditor: User, clip: Task) -> None:
    link, token = sharing.make(bob, clip, Terms())
    place = reverse("share-revoke", args=[link.pk])
    for person in (charlie, auditor):
        assert signed_in(person).post(place).status_code in (403, 404)
    assert signed_in(bob).get(place).status_code == 405
    answer = signed_in(bob).post(place, {"task": str(clip.pk)}, headers=htmx())
    assert "From now on the link opens for nobody." in answer.content.decode()
    assert 'hx-swap-oob="innerHTML:#dialog-say"' in answer.content.decode()
    assert Client().get(reverse("share", args=[token])).status_code == 404
    again = signed_in(bob).post(place, headers=htmx())
    assert "revoked before" in again.content.decode()
    other, _ = sharing.make(bob, clip, Terms())
    assert signed_in(alice).post(reverse("share-revoke", args=[other.pk])).status_code == 302, "it is her clip"


def test_share_extend(alice: User, bob: User, clip: Task) -> None:
    link, token = sharing.make(bob, clip, Terms(days=7))
    ShareLink.objects.update(expires_at=timezone.now() - timedelta(days=1))
    place = reverse("share-extend", args=[link.pk])
    assert signed_in(alice).post(place, {"days": "7"}).status_code == 404, "her clip, not her link"
    wrong = signed_in(bob).post(place, {"days": "8"}, headers=htmx())
    assert (wrong.status_code, "Nothing was changed" in wrong.content.decode()) == (422, True)
    plain = signed_in(bob).post(place, {"days": "8"})
    assert (plain.status_code, "Nothing was changed" in plain.content.decode()) == (422, True)
    assert signed_in(bob).post(place, {"days": "30"})["Location"] == reverse("share-links")
    assert signed_in(alice).get(reverse("share", args=[token])).status_code == 200
    sharing.revoke(ShareLink.objects.get(), bob)
    dead = signed_in(bob).post(place, {"days": "7"}, headers=htmx())
    assert (dead.status_code, "was revoked" in dead.content.decode()) == (422, True)


def test_share_links(alice: User, bob: User, admin: User, clip: Task) -> None:
    anyone_on()
    shared, _ = sharing.make(alice, clip, Terms(label="For the team"))
    outside, _ = sharing.make(alice, clip, OUTSIDE)
    gone, _ = sharing.make(alice, clip, Terms(label="An old one"))
    sharing.make(bob, clip, Terms(label="Of Bob"))
    sharing.revoke(gone, admin)
    visits.count_view(shared, bob)
    visits.count_view(outside, None)
    visits.count_download(outside, None)
    html = signed_in(alice).get(reverse("share-links")).content.decode()
    running, _, ended = html.partition("No longer open")
    for said in (
        "For the team",
        "Anyone with the link",
        "bob",
        "Not signed in",
        "Opened 1 time · 1 download",
        "Revoke all",
    ):
        assert said in running
    assert "An old one" in ended
    assert "Revoked" in ended
    assert "Of Bob" not in html
    HouseRules.objects.update(anyone_links=False)
    html = signed_in(alice).get(reverse("share-links")).content.decode()
    assert "An administrator switched off links for anyone." in html.partition("No longer open")[2]


def test_my_links_tell_nothing_of_what_i_may_not_see_any_more(alice: User, bob: User, clip: Task) -> None:
    sharing.make(bob, clip, Terms())
    assert "A heron" in signed_in(bob).get(reverse("share-links")).content.decode()
    Task.objects.update(visibility=Visibility.PRIVATE)
    html = signed_in(bob).get(reverse("share-links")).content.decode()
    assert "Nothing left to show" in html
    assert "heron" not in html
    assert str(clip.pk) not in html


def test_share_revoke_all(alice: User, bob: User, auditor: User, clip: Task) -> None:
    for person in (alice, alice, bob):
        sharing.make(person, clip, Terms())
    place = reverse("share-revoke-all")
    assert signed_in(auditor).post(place).status_code == 403
    answer = signed_in(alice).post(place, headers=htmx())
    assert "2 links are revoked." in answer.content.decode()
    assert {link.owner for link in ShareLink.objects.filter(revoked_at=None)} == {bob}


def test_long_lists_have_pages(alice: User, clip: Task, django_assert_max_num_queries: Any) -> None:
    for number in range(33):
        link, _ = sharing.make(alice, clip, Terms(label=f"Nr {number:02}"))
        sharing.revoke(link, alice)
    client = signed_in(alice)
    with django_assert_max_num_queries(16):
        html = client.get(reverse("share-links")).content.decode()
    assert "Nr 32" in html
    assert "Nr 02" not in html
    [more] = re.findall(r'href="(/settings/links/\?before=[^"#]+)', html)
    older = client.get(more).content.decode()
    assert re.findall(r"Nr \d\d", older) == ["Nr 02", "Nr 01", "Nr 00"]


# --- Admin -------------------------------------------------------------------------------------------------------


def test_the_list_of_the_admin(alice: User, bob: User, admin: User, auditor: User, clip: Task) -> None:
    link, token = sharing.make(alice, clip, Terms(label="For the team"))
    gone, _ = sharing.make(bob, clip, Terms(label="An old one"))
    sharing.revoke(gone, bob)
    visits.count_view(link, bob)
    for person in (admin, auditor):
        client = signed_in(person)
        page = client.get(LISTED).content.decode()
        assert "For the team" in page
        assert "An old one" in page
        page = client.get(LISTED, {"which": "open"}).content.decode()
        assert ("For the team" in page, "An old one" in page) == (True, False)
        page = client.get(LISTED, {"which": "ended"}).content.decode()
        assert ("For the team" in page, "An old one" in page) == (False, True)
        page = client.get(LISTED, {"owner": str(bob.pk)}).content.decode()
        assert ("For the team" in page, "An old one" in page) == (False, True)
        one = client.get(reverse("admin:generations_sharelink_change", args=[link.pk])).content.decode()
        for secret in (token, link.token_hash, token[-8:]):
            assert secret not in one
        assert 'name="_save"' not in one
    assert signed_in(admin).get(reverse("admin:generations_sharelink_add")).status_code == 403
    assert signed_in(admin).post(reverse("admin:generations_sharelink_delete", args=[link.pk])).status_code == 403


def test_administrators_revoke_many(alice: User, bob: User, admin: User, auditor: User, clip: Task) -> None:
    links = [sharing.make(person, clip, Terms())[0] for person in (alice, bob)]
    chosen = {"action": "revoke_links", "_selected_action": [str(link.pk) for link in links]}
    assert signed_in(auditor).post(LISTED, chosen).status_code == 403
    assert signed_in(alice).post(LISTED, chosen).status_code == 302
    assert not ShareLink.objects.exclude(revoked_at=None).exists()
    assert "2 links are revoked." in signed_in(admin).post(LISTED, chosen, follow=True).content.decode()
    assert {link.revoked_by for link in ShareLink.objects.all()} == {admin}


def test_administrators_transfer_many(alice: User, bob: User, admin: User, auditor: User, clip: Task) -> None:
    seen, _ = sharing.make(alice, clip, Terms(label="Seen by all"))
    hidden = make_task(alice, state="succeeded", visibility=Visibility.PRIVATE)
    unseen, _ = sharing.make(alice, hidden, Terms(label="Hers alone"))
    chosen = {"action": "transfer_links", "_selected_action": [str(seen.pk), str(unseen.pk)]}
    client = signed_in(admin)
    asked = client.post(LISTED, chosen).content.decode()
    for said in ("Seen by all", "Hers alone", f'<option value="{bob.pk}">bob'):
        assert said in asked
    assert "auditor" not in asked.partition("<select")[2].partition("</select>")[0]
    assert client.post(LISTED, chosen | {"transfer": "yes", "person": str(auditor.pk)}).status_code == 422
    done = client.post(LISTED, chosen | {"transfer": "yes", "person": str(bob.pk)}, follow=True).content.decode()
    assert "1 link was transferred." in done
    assert "Hers alone: bob may not see what this link shows." in done
    for link, owner in ((seen, bob), (unseen, alice)):
        link.refresh_from_db()
        assert link.owner == owner
    assert signed_in(auditor).post(LISTED, chosen | {"transfer": "yes", "person": str(bob.pk)}).status_code == 403


def test_the_rules_of_the_house_are_one_row(admin: User, auditor: User) -> None:
    client = signed_in(admin)
    listed, add = (reverse(f"admin:generations_houserules_{page}") for page in ("changelist", "add"))
    assert client.get(listed).url == add  # type: ignore[attr-defined]
    assert signed_in(auditor).get(listed).status_code == 200
    assert client.post(add, {"anyone_links": "on", "anyone_days": "31"}).status_code == 200
    assert not HouseRules.objects.exists()
    done = client.post(add, {"anyone_links": "on", "anyone_days": "14"}, follow=True).content.decode()
    assert "Saved. People may make links that open for anyone; such a link ends after 14 days at most." in done
    rules = HouseRules.now()
    assert (rules.pk, rules.anyone_links, rules.anyone_days) == (1, True, 14)
    assert client.get(add).status_code == 403
    change = reverse("admin:generations_houserules_change", args=[1])
    assert client.get(listed).url == change  # type: ignore[attr-defined]
    off = client.post(change, {"anyone_days": "7"}, follow=True).content.decode()
    assert "Saved. Links for anyone are switched off: none that exists opens." in off
    rules = HouseRules.now()
    assert (rules.anyone_links, rules.anyone_days, HouseRules.objects.count()) == (False, 7, 1)
    assert client.post(reverse("admin:generations_houserules_delete", args=[1]), {"post": "yes"}).status_code == 403
    assert signed_in(auditor).post(change, {"anyone_links": "on", "anyone_days": "7"}).status_code == 403
