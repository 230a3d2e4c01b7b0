"""Share links as such: who may make one, what it covers, when it opens, and what becomes of it."""

import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from generations import alerts, passphrases, sharing, tokens, visits
from generations.alert_words import alert_words
from generations.limits import Limit
from generations.models import (
    Alert,
    Audience,
    Batch,
    HouseRules,
    Lease,
    ProviderKey,
    ShareLink,
    ShareVisit,
    Task,
    User,
    Visibility,
)
from generations.sharing import LinkState, Refused, Terms
from tests.factories import make_creation, make_task, make_user

pytestmark = pytest.mark.django_db
OUTSIDE = Terms(audience=Audience.ANYONE, days=7, show_settings=False)


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


@pytest.fixture
def clip(alice: User, key: ProviderKey) -> Task:
    task = make_task(alice, state="succeeded")
    make_creation(task)
    return task


@pytest.fixture
def batch(alice: User, key: ProviderKey) -> Batch:
    """Three clips of one press; the last one failed."""
    made = Batch.objects.create(owner=alice, request_id=uuid.uuid4(), size=3)
    for position, state in enumerate(("succeeded", "succeeded", "failed")):
        task = make_task(alice, batch=made, position=position, state=state)
        if state == "succeeded":
            make_creation(task)
    return made


@pytest.fixture
def auditor(db: None) -> User:
    return make_user("auditor", role="auditor")


def allow_anyone(days: int = 30) -> None:
    HouseRules.objects.update_or_create(pk=1, defaults={"anyone_links": True, "anyone_days": days})


def state(token: str) -> LinkState:
    found = sharing.resolve(token)
    assert found is not None
    return found.state


def end_now(link: ShareLink) -> None:
    ShareLink.objects.filter(pk=link.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


# --- The token ---------------------------------------------------------------------------------------------------


def test_only_the_hash_of_the_token_is_kept(alice: User, clip: Task) -> None:
    link, token = sharing.make(alice, clip, Terms(passphrase="open sesame"))
    assert len(token) == 43, "256 bits"
    row = str(ShareLink.objects.filter(pk=link.pk).values().get())
    assert token not in row
    assert "open sesame" not in row
    assert (link.token_end, link.token_hash) == (token[-4:], tokens.hash_of(token))
    assert check_password("open sesame", link.passphrase_hash)


@pytest.mark.parametrize("wrong", ["", "x", "\0", "ä" * 500, "\ud800"])
def test_a_token_that_never_was_finds_nothing(clip: Task, wrong: str) -> None:
    assert sharing.resolve(wrong) is None


def test_no_letter_more_or_less_of_a_token_opens_it(alice: User, clip: Task) -> None:
    _link, token = sharing.make(alice, clip, Terms())
    assert state(token) == LinkState.OPEN
    for wrong in (token[:-1], token + "A", token.swapcase(), f" {token}"):
        assert sharing.resolve(wrong) is None


# --- Who may -----------------------------------------------------------------------------------------------------


def test_whoever_sees_a_clip_may_share_it_inside(alice: User, bob: User, clip: Task) -> None:
    for person in (alice, bob):
        link, _ = sharing.make(person, clip, Terms())
        assert (link.owner, link.created_by, link.expires_at) == (person, person, None)


@pytest.mark.parametrize("audience", Audience)
def test_an_auditor_shares_nothing(auditor: User, clip: Task, audience: str) -> None:
    allow_anyone()
    with pytest.raises(Refused, match="Auditors"):
        sharing.make(auditor, clip, Terms(audience=audience, days=7))


def test_only_the_owner_and_administrators_open_it_to_anyone(alice: User, bob: User, admin: User, clip: Task) -> None:
    allow_anyone()
    for person in (alice, admin):
        assert sharing.make(person, clip, OUTSIDE)[0].audience == "anyone"
    with pytest.raises(Refused, match="Only the owner") as refused:
        sharing.make(bob, clip, OUTSIDE)
    assert refused.value.field == "audience"


def test_a_batch_with_somebody_elses_clip_is_not_theirs_to_open(alice: User, bob: User, batch: Batch) -> None:
    allow_anyone()
    sharing.make(alice, batch, OUTSIDE)
    Task.objects.filter(batch=batch, position=1).update(owner=bob)
    with pytest.raises(Refused, match="Only the owner"):
        sharing.make(alice, batch, OUTSIDE)


def test_links_for_anyone_need_an_administrators_word(alice: User, admin: User, clip: Task) -> None:
    for person in (alice, admin):
        with pytest.raises(Refused, match="switched off"):
            sharing.make(person, clip, OUTSIDE)
    assert not ShareLink.objects.exists()


@pytest.mark.parametrize(("days", "most", "ok"), [(7, 30, True), (30, 30, True), (31, 30, False), (8, 7, False)])
def test_a_link_for_anyone_ends_in_time(alice: User, clip: Task, days: int, most: int, ok: bool) -> None:
    allow_anyone(most)
    wish = Terms(audience=Audience.ANYONE, days=days)
    if ok:
        link, _ = sharing.make(alice, clip, wish)
        assert link.expires_at is not None
        assert abs(link.expires_at - timezone.now() - timedelta(days=days)) < timedelta(minutes=1)
        return
    with pytest.raises(Refused, match=f"at most {most} days") as refused:
        sharing.make(alice, clip, wish)
    assert refused.value.field == "days"


@pytest.mark.parametrize("days", [None, 0, -3])
def test_a_link_for_anyone_always_ends(alice: User, clip: Task, days: int | None) -> None:
    allow_anyone()
    with pytest.raises(Refused):
        sharing.make(alice, clip, Terms(audience=Audience.ANYONE, days=days))


def test_a_private_clip_is_said_to_be_widened(alice: User, clip: Task) -> None:
    assert not sharing.widens([clip])
    clip.visibility = Visibility.PRIVATE
    assert sharing.widens([clip])
    clip.visibility = Visibility.TEAM
    clip.team = Group.objects.create(name="Trailer")
    assert sharing.widens([clip])


# --- What it covers ----------------------------------------------------------------------------------------------


def test_a_batch_covers_what_its_owner_may_see(alice: User, bob: User, batch: Batch) -> None:
    _link, token = sharing.make(bob, batch, Terms())
    found = sharing.resolve(token)
    assert found is not None
    assert [task.position for task in found.tasks] == [0, 1, 2]
    assert [clip.number for clip in found.clips] == [1, 2], "of the failed one there is nothing to show"
    Task.objects.filter(batch=batch, position=0).update(visibility=Visibility.PRIVATE)
    found = sharing.resolve(token)
    assert found is not None
    assert [clip.number for clip in found.clips] == [2], "a number stays with its clip"
    Task.objects.filter(batch=batch).update(visibility=Visibility.PRIVATE)
    assert state(token) == LinkState.EMPTY


def test_a_clip_that_its_sharer_may_not_see_any_more_drops_out(alice: User, bob: User, clip: Task) -> None:
    _link, token = sharing.make(bob, clip, Terms())
    _own, kept = sharing.make(alice, clip, Terms())
    Task.objects.update(visibility=Visibility.PRIVATE)
    assert (state(token), state(kept)) == (LinkState.EMPTY, LinkState.OPEN)


def test_lists_ask_the_same_in_bulk(
    alice: User, bob: User, batch: Batch, clip: Task, django_assert_max_num_queries: Any
) -> None:
    links = [sharing.make(person, thing, Terms())[0] for person in (alice, bob) for thing in (batch, clip)] * 3
    with django_assert_max_num_queries(4):
        found = sharing.tasks_of_all(links)
    for link in links:
        assert [task.pk for task in found[link.pk]] == [task.pk for task in sharing.tasks_of(link)]


# --- When it opens -----------------------------------------------------------------------------------------------


def test_it_ends_on_its_day(alice: User, clip: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    _link, token = sharing.make(alice, clip, Terms(days=7))
    now = timezone.now()
    monkeypatch.setattr("django.utils.timezone.now", lambda: now + timedelta(days=7, seconds=-5))
    assert state(token) == LinkState.OPEN
    monkeypatch.setattr("django.utils.timezone.now", lambda: now + timedelta(days=7, seconds=5))
    assert state(token) == LinkState.EXPIRED


def test_revoked_stays_revoked(alice: User, clip: Task) -> None:
    link, token = sharing.make(alice, clip, Terms(days=7))
    assert sharing.revoke(link, alice)
    assert state(token) == LinkState.REVOKED
    assert not sharing.revoke(link, alice)
    with pytest.raises(Refused, match="revoked"):
        sharing.extend(link, 7)


def test_switched_off_closes_what_is_open_to_anyone(alice: User, clip: Task) -> None:
    allow_anyone()
    _outside, token = sharing.make(alice, clip, OUTSIDE)
    _inside, other = sharing.make(alice, clip, Terms())
    HouseRules.objects.update(anyone_links=False)
    assert (state(token), state(other)) == (LinkState.OFF, LinkState.OPEN)
    HouseRules.objects.update(anyone_links=True)
    assert state(token) == LinkState.OPEN


def test_nothing_stays_open_to_anyone_when_its_owner_is_out(alice: User, clip: Task) -> None:
    allow_anyone()
    _outside, token = sharing.make(alice, clip, OUTSIDE)
    _inside, other = sharing.make(alice, clip, Terms())
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert (state(token), state(other)) == (LinkState.LEFT, LinkState.OPEN)


def test_a_table_is_asked_as_one_link_is(alice: User, bob: User, clip: Task) -> None:
    allow_anyone()
    for terms in (Terms(), Terms(days=7), OUTSIDE):
        for _ in range(3):
            sharing.make(alice, clip, terms)
    links = list(ShareLink.objects.order_by("pk"))
    for link in links[::3]:
        sharing.revoke(link, alice)
    for link in links[4:8:3]:
        end_now(link)
    sharing.make(bob, clip, Terms())
    ShareLink.objects.create(
        token_hash="b", owner=bob, created_by=bob, batch=clip.batch, audience="anyone", expires_at=links[-1].expires_at
    )
    for rules in (HouseRules(anyone_links=True), HouseRules(anyone_links=False)):
        for change in (
            {"role": "member"}, {"role": "auditor"}, {"role": "admin"}, {"role": "member", "successor": bob},
            {"is_active": False},
        ):  # fmt: skip
            User.objects.filter(username__in=("alice", "bob")).update(**change)
            told = {link.pk for link in sharing.still_open(ShareLink.objects.all(), rules)}
            each = ShareLink.objects.select_related("owner")
            alone = {link.pk for link in each if sharing.state_of(link, rules, [clip]) == LinkState.OPEN}
            assert told == alone


# --- What becomes of it ------------------------------------------------------------------------------------------


def test_extending_keeps_the_address(alice: User, clip: Task) -> None:
    link, token = sharing.make(alice, clip, Terms(days=7))
    end_now(link)
    link.refresh_from_db()
    assert state(token) == LinkState.EXPIRED
    sharing.extend(link, 7)
    assert state(token) == LinkState.OPEN
    sharing.extend(link, None)
    found = sharing.resolve(token)
    assert found is not None
    assert found.link.expires_at is None


def test_extending_keeps_to_the_rules(alice: User, clip: Task) -> None:
    allow_anyone(days=14)
    link, _token = sharing.make(alice, clip, OUTSIDE)
    for days in (None, 15):
        with pytest.raises(Refused, match="at most 14 days"):
            sharing.extend(link, days)
    HouseRules.objects.update(anyone_links=False)
    with pytest.raises(Refused, match="switched off"):
        sharing.extend(link, 7)
    link.refresh_from_db()
    assert link.expires_at is not None
    assert link.expires_at < timezone.now() + timedelta(days=8)


def test_transfer(alice: User, bob: User, charlie: User, auditor: User, clip: Task) -> None:
    link, token = sharing.make(alice, clip, Terms())
    sharing.transfer(link, bob)
    found = sharing.resolve(token)
    assert found is not None
    assert (found.link.owner, found.link.created_by) == (bob, alice)
    with pytest.raises(Refused, match="cannot have"):
        sharing.transfer(link, auditor)
    Task.objects.update(visibility=Visibility.PRIVATE)
    with pytest.raises(Refused, match="may not see"):
        sharing.transfer(link, charlie)
    charlie.is_active = False
    with pytest.raises(Refused, match="cannot have"):
        sharing.transfer(link, charlie)


def test_what_was_an_administrators_to_open_ends_with_the_role(alice: User, bob: User, clip: Task) -> None:
    allow_anyone()
    admin = make_user("mia", role="admin")
    link, token = sharing.make(admin, clip, OUTSIDE)
    assert state(token) == LinkState.OPEN
    with pytest.raises(Refused, match="Only the owner"):
        sharing.transfer(link, bob)
    admin.role = "member"
    admin.save()
    link = ShareLink.objects.get(pk=link.pk)
    assert state(token) == LinkState.OFF
    assert not sharing.still_open(ShareLink.objects.all(), HouseRules.now()).exists()
    with pytest.raises(Refused, match="Only the owner"):
        sharing.extend(link, 30)
    sharing.transfer(link, alice)
    sharing.extend(link, 30)
    assert state(token) == LinkState.OPEN


def test_a_link_that_ended_costs_no_more_than_one_that_never_was(
    alice: User, clip: Task, django_assert_num_queries: Any
) -> None:
    link, token = sharing.make(alice, clip, Terms())
    sharing.revoke(link, alice)
    for asked in (token, "x" * 43):
        with django_assert_num_queries(2):
            sharing.resolve(asked)


def test_who_may_revoke_and_extend(
    alice: User, bob: User, charlie: User, admin: User, auditor: User, clip: Task
) -> None:
    link, _ = sharing.make(bob, clip, Terms())
    people = (alice, bob, charlie, admin, auditor)
    assert [sharing.may_manage(person, link) for person in people] == [False, True, False, True, False]
    assert [sharing.may_revoke(person, link) for person in people] == [True, True, False, True, False]
    own, _ = sharing.make(alice, clip, Terms())
    assert set(sharing.links_on(bob, clip)) == {link}
    assert set(sharing.links_on(alice, clip)) == {link, own}


def test_who_took_over_decides_like_the_owner(alice: User, bob: User, charlie: User, clip: Task) -> None:
    allow_anyone()
    link, _ = sharing.make(charlie, clip, Terms())
    alice.successor, alice.is_active = bob, False
    alice.save()
    sharing.make(bob, clip, OUTSIDE)
    link = ShareLink.objects.get(pk=link.pk)
    assert (sharing.may_revoke(bob, link), sharing.may_manage(bob, link)) == (True, False)
    assert link in sharing.links_on(bob, Task.objects.get(pk=clip.pk))
    with pytest.raises(Refused, match="Only the owner"):
        sharing.make(charlie, clip, OUTSIDE)


class TestLeaving:
    @pytest.fixture
    def tokens(self, alice: User, clip: Task) -> tuple[str, str]:
        allow_anyone()
        return sharing.make(alice, clip, Terms())[1], sharing.make(alice, clip, OUTSIDE)[1]

    def test_the_teams_links_go_on_with_the_successor(
        self, alice: User, bob: User, admin: User, tokens: tuple[str, str]
    ) -> None:
        sharing.leave(alice, bob, end_all=False, by=admin)
        User.objects.filter(pk=alice.pk).update(is_active=False)
        assert [state(token) for token in tokens] == [LinkState.OPEN, LinkState.REVOKED]
        assert {link.owner for link in ShareLink.objects.all()} == {bob}
        assert {link.revoked_by for link in ShareLink.objects.exclude(revoked_at=None)} == {admin}

    def test_or_all_end(self, alice: User, bob: User, tokens: tuple[str, str]) -> None:
        sharing.leave(alice, bob, end_all=True)
        assert [state(token) for token in tokens] == [LinkState.REVOKED] * 2

    def test_without_a_successor_they_stay_where_they_are(self, alice: User, tokens: tuple[str, str]) -> None:
        sharing.leave(alice, None, end_all=False)
        assert [state(token) for token in tokens] == [LinkState.OPEN, LinkState.REVOKED]

    def test_other_peoples_links_are_no_part_of_it(self, alice: User, bob: User, clip: Task, tokens: Any) -> None:
        _link, token = sharing.make(bob, clip, Terms())
        sharing.leave(alice, None, end_all=True)
        assert state(token) == LinkState.OPEN


# --- Counting ----------------------------------------------------------------------------------------------------


def test_one_view_in_half_an_hour(alice: User, bob: User, clip: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    link, _ = sharing.make(alice, clip, Terms())
    now = timezone.now()
    counted = []
    for minutes in (0, 1, 29, 31, 45, 62):
        moment = now + timedelta(minutes=minutes)
        monkeypatch.setattr("django.utils.timezone.now", lambda moment=moment: moment)
        counted.append(visits.count_view(link, bob))
    assert counted == [True, False, False, True, False, True]
    link.refresh_from_db()
    assert (link.view_count, link.first_opened_at) == (3, now)
    assert link.last_opened_at == now + timedelta(minutes=62)
    assert ShareVisit.objects.get().views == 3


def test_outsiders_are_one_row_and_the_first_is_audited(alice: User, bob: User, clip: Task) -> None:
    allow_anyone()
    link, _ = sharing.make(alice, clip, OUTSIDE)
    LogEntry.objects.all().delete()
    visits.count_view(link, bob)
    assert not LogEntry.objects.exists(), "a person of the house"
    for _ in range(3):
        visits.count_view(link, None)
    [row] = LogEntry.objects.all()
    assert (row.action, row.object_pk) == (LogEntry.Action.ACCESS, str(link.pk))
    assert {visit.person: visit.views for visit in link.visits.all()} == {bob: 1, None: 3}
    link.refresh_from_db()
    assert link.view_count == 4


def test_who_downloads_before_looking_is_still_counted_as_looking(alice: User, bob: User, clip: Task) -> None:
    link, _ = sharing.make(alice, clip, Terms())
    visits.count_download(link, bob)
    assert visits.count_view(link, bob)
    visit = ShareVisit.objects.get()
    assert (visit.views, visit.downloads) == (1, 1)


def test_one_asks_once(alice: User, bob: User, clip: Task) -> None:
    link, _ = sharing.make(alice, clip, Terms())
    assert visits.ask(link, bob)
    first = ShareVisit.objects.get().asked_at
    assert not visits.ask(link, bob)
    assert ShareVisit.objects.get().asked_at == first


def test_a_note_of_one_link_is_none_for_another(alice: User, clip: Task) -> None:
    one, other = (sharing.make(alice, clip, Terms())[0] for _ in range(2))
    note = visits.note_for(one)
    assert visits.is_noted(one, note)
    for link, said in ((other, note), (one, note + "x"), (one, ""), (one, passphrases.note_for(one)[0])):
        assert not visits.is_noted(link, said)


# --- Passphrase --------------------------------------------------------------------------------------------------


class TestPassphrase:
    @pytest.fixture
    def link(self, alice: User, clip: Task) -> ShareLink:
        return sharing.make(alice, clip, Terms(passphrase="open sesame"))[0]

    def test_five_tries_then_none_not_even_the_right_one(self, link: ShareLink) -> None:
        for _ in range(5):
            assert not passphrases.is_right(link, "wrong", "192.0.2.1")
        with pytest.raises(passphrases.Locked) as locked:
            passphrases.is_right(link, "open sesame", "192.0.2.1")
        assert 590 <= locked.value.seconds <= 600
        assert locked.value.minutes == 10
        assert passphrases.is_right(link, "open sesame", "192.0.2.2"), "another address"

    def test_a_place_is_free_again_after_ten_minutes(self, link: ShareLink, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(passphrases, "TRIES", Limit("passphrase", 5, 1))
        for _ in range(5):
            passphrases.is_right(link, "wrong", "192.0.2.1")
        threading.Event().wait(2.2)  # the cache of a table counts in whole seconds
        assert passphrases.is_right(link, "open sesame", "192.0.2.1")

    def test_another_link_has_its_own_tries(self, alice: User, clip: Task, link: ShareLink) -> None:
        other, _ = sharing.make(alice, clip, Terms(passphrase="open sesame"))
        for _ in range(5):
            passphrases.is_right(link, "wrong", "192.0.2.1")
        assert passphrases.is_right(other, "open sesame", "192.0.2.1")

    def test_what_was_right_takes_no_try_away(self, link: ShareLink) -> None:
        for _ in range(20):
            assert passphrases.is_right(link, "open sesame", "192.0.2.1")

    def test_a_whole_network_of_one_host_counts_as_one(self, link: ShareLink) -> None:
        for number in range(5):
            passphrases.is_right(link, "wrong", f"2001:db8:1:2::{number + 1:x}")
        with pytest.raises(passphrases.Locked):
            passphrases.is_right(link, "wrong", "2001:db8:1:2:ffff::1")
        assert not passphrases.is_right(link, "wrong", "2001:db8:1:3::1")

    def test_many_networks_together_have_no_more(self, link: ShareLink, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(passphrases, "check_password", lambda phrase, _hash: phrase == "open sesame")
        for number in range(100):
            assert passphrases.is_right(link, "open sesame", "192.0.2.1")
            assert not passphrases.is_right(link, "wrong", f"2001:470:1:{number:x}::1")
        for _ in range(6):  # what is not listened to takes nothing from this address
            with pytest.raises(passphrases.Locked) as locked:
                passphrases.is_right(link, "open sesame", "2001:470:1:aaaa::1")
        assert 3500 <= locked.value.seconds <= 3600

    def test_a_note_dies_with_the_passphrase_and_the_link(
        self, link: ShareLink, alice: User, clip: Task, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        note, seconds = passphrases.note_for(link)
        assert seconds <= 12 * 3600
        assert passphrases.is_unlocked(link, note)
        other, _ = sharing.make(alice, clip, Terms(passphrase="open sesame"))
        for said in ("", note[:-1], visits.note_for(link)):
            assert not passphrases.is_unlocked(link, said)
        assert not passphrases.is_unlocked(other, note)
        now = passphrases.time.time()
        monkeypatch.setattr(passphrases.time, "time", lambda: now + 12 * 3600 + 5)
        assert not passphrases.is_unlocked(link, note)
        monkeypatch.undo()
        link.passphrase_hash = make_password("another one")
        assert not passphrases.is_unlocked(link, note)

    def test_a_note_holds_no_longer_than_the_link(self, alice: User, clip: Task) -> None:
        link, _ = sharing.make(alice, clip, Terms(passphrase="open sesame", days=1))
        link.expires_at = timezone.now() + timedelta(minutes=5)
        _note, seconds = passphrases.note_for(link)
        assert 290 <= seconds <= 300


@pytest.mark.django_db(transaction=True)
def test_tries_at_the_same_moment_are_no_way_around(alice: User, key: ProviderKey) -> None:
    task = make_task(alice, state="succeeded")
    link, _ = sharing.make(alice, task, Terms(passphrase="open sesame"))
    ready, listened_to = threading.Barrier(12), []

    def attempt() -> None:
        ready.wait()
        try:
            passphrases.is_right(link, "wrong", "192.0.2.1")
            listened_to.append(1)
        except passphrases.Locked:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=attempt) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(listened_to) == 5


# --- Audit and digest --------------------------------------------------------------------------------------------


def test_what_people_decide_is_audited_without_a_secret(alice: User, bob: User, clip: Task) -> None:
    LogEntry.objects.all().delete()
    link, token = sharing.make(alice, clip, Terms(passphrase="open sesame", days=7, label="Round 2"))
    sharing.extend(link, 30)
    sharing.transfer(link, bob)
    sharing.revoke(link, alice)
    visits.count_view(link, bob)
    made, extended, handed_over, revoked = LogEntry.objects.order_by("pk")
    assert made.changes["passphrase_hash"] == ["***", "***"]
    assert made.changes["label"] == ["None", "Round 2"]
    assert set(extended.changes) == {"expires_at"}
    assert set(handed_over.changes) == {"owner"}
    assert set(revoked.changes) == {"revoked_at", "revoked_by"}
    told = "".join(f"{row.changes} {row.object_repr} {row.serialized_data}" for row in LogEntry.objects.all())
    for secret in (token, link.token_hash, link.passphrase_hash, "open sesame", token[-12:]):
        assert secret not in told


def test_the_rules_of_the_house_are_audited(db: None) -> None:
    LogEntry.objects.all().delete()
    rules = HouseRules.objects.create(pk=1)
    rules.anyone_links = True
    rules.save()
    assert LogEntry.objects.first().changes["anyone_links"] == ["False", "True"]


def look() -> list[Alert]:
    Lease.objects.filter(key="alerts").delete()
    alerts.look()
    return list(Alert.objects.filter(kind="open-links"))


def test_links_for_anyone_are_told_once_a_week(
    alice: User, admin: User, clip: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow_anyone()
    sharing.make(alice, clip, Terms())
    assert look() == [], "nothing is open to anyone"
    for person in (alice, alice, admin):
        link, _ = sharing.make(person, clip, OUTSIDE)
    [alert] = look()
    assert look() == [alert]
    subject, body = alert_words(alert)
    assert subject == "3 links are open to anyone"
    assert "Alice Ames (2), admin (1)" in body
    later = timezone.now() + timedelta(days=7)
    ShareLink.objects.update(expires_at=later + timedelta(days=1))
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    assert len(look()) == 2
    HouseRules.objects.update(anyone_links=False)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later + timedelta(days=7))
    ShareLink.objects.update(expires_at=later + timedelta(days=9))
    assert len(look()) == 2, "switched off, nothing is open"
    assert link.audience == "anyone"
