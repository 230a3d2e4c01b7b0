"""The only way in for somebody new: made and taken back by administrators, used once, never seen again."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from auditlog.models import LogEntry
from django.contrib.auth.models import Group
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from generations import invitations, tokens
from generations.models import Invitation, Role, User
from tests.factories import make_user
from tests.views.pages import signed_in

pytestmark = pytest.mark.django_db
NEW = {"username": "ming", "name": "Ming Li", "email": "ming@house.example", "password": "a-long-one-7391"}
ADD = reverse("admin:generations_invitation_add")
LIST = reverse("admin:generations_invitation_changelist")


def invite(by: User, days: int = 7, **over: Any) -> str:
    return f"/invitations/{invitations.make(Invitation(**over), by, days)}/"


def make_in_admin(desk: Client, **over: Any) -> str:
    """The address that the page shows."""
    answer = desk.post(ADD, {"name": "Ming", "email": "", "role": "member", "days": "7", "teams": [], **over})
    assert answer.status_code == 200, answer
    return str(answer.context["address"])


class TestThePage:
    def test_it_shows_who_invited_and_as_what(self, admin: User) -> None:
        address = invite(admin, name="Ming", role=Role.AUDITOR, email="ming@house.example")
        Invitation.objects.get().teams.add(Group.objects.create(name="Trailer <b>"))
        html = Client().get(address).content.decode()
        for told in (
            "admin invites you",
            "Role: Auditor",
            "Teams: Trailer &lt;b&gt;",
            'value="Ming"',
            'value="ming@house.example"',
        ):
            assert told in html

    def test_joining_makes_the_person_signs_them_in_and_uses_it_up(self, admin: User) -> None:
        address = invite(admin, role=Role.AUDITOR, email="Ming@house.example")
        team = Group.objects.create(name="Trailer")
        Invitation.objects.get().teams.add(team)
        client = Client()
        assert client.post(address, NEW)["Location"] == "/"
        person = client.get("/").wsgi_request.user
        assert (person.username, person.role, person.display_name) == ("ming", Role.AUDITOR, "Ming Li")
        assert person.is_staff
        assert not person.is_superuser
        assert list(person.groups.all()) == [team]
        assert person.check_password(NEW["password"])
        assert EmailAddress.objects.get(user=person).verified, "the administrator knew it"
        used = Invitation.objects.get()
        assert (used.person, used.accepted_at is not None) == (person, True)
        assert Client().get(address).status_code == 404
        assert Client().post(address, NEW | {"username": "second"}).status_code == 404
        assert User.objects.count() == 2

    def test_an_address_that_they_wrote_themselves_is_only_a_claim(self, admin: User) -> None:
        Client().post(invite(admin, email="other@house.example"), NEW)
        assert not EmailAddress.objects.get().verified

    def test_nobody_writes_themselves_a_role(self, admin: User) -> None:
        Client().post(invite(admin), NEW | {"role": "admin", "is_staff": "on", "is_superuser": "on", "teams": "1"})
        person = User.objects.get(username="ming")
        assert (person.role, person.is_staff, person.is_superuser) == (Role.MEMBER, False, False)

    @pytest.mark.parametrize(
        ("field", "value", "said"),
        [
            ("username", "", "required"), ("username", "a b", "valid username"),
            ("username", "ADMIN", "has this name already"),
            ("email", "no address", "valid email"), ("email", "Root@House.example", "has this address already"),
            ("password", "", "Choose a password"), ("password", "password", "too common"),
            ("password", "short", "too short"),
            ("password", "ming@house.example1", "too similar"),
            ("name", "", "required"), ("name", "x" * 151, "at most 150"),
        ],
    )  # fmt: skip
    def test_a_mistake_is_said_at_its_field(self, admin: User, field: str, value: str, said: str) -> None:
        User.objects.filter(pk=admin.pk).update(email="root@house.example")
        address = invite(admin)
        answer = Client().post(address, NEW | {field: value})
        html = answer.content.decode()
        assert answer.status_code == 422
        [at] = [line for line in html.splitlines() if f'id="id_{field}_error"' in line and "<span" in line]
        assert said in at
        assert NEW["password"] not in html, "a password is not sent back"
        assert Client().get(address).status_code == 200, "it is still open"

    def test_joining_with_a_passkey_leads_to_where_one_is_made(self, admin: User) -> None:
        client = Client()
        answer = client.post(invite(admin), NEW | {"password": "", "with": "passkey"})
        assert answer["Location"] == "/settings/sign-in/passkeys/add/"
        assert client.get(answer["Location"]).status_code == 200
        assert not User.objects.get(username="ming").has_usable_password()
        assert "Set a password" in client.get("/settings/sign-in/").content.decode()

    def test_somebody_signed_in_keeps_it_for_the_other(self, admin: User, alice: User) -> None:
        address, client = invite(admin), signed_in(alice)
        assert "As Alice Ames" in client.get(address).content.decode()
        client.post(address, NEW)
        assert not User.objects.filter(username="ming").exists()
        assert client.post("/accounts/sign-out/", {"next": address})["Location"] == address
        assert "You are invited" in client.get(address).content.decode()


class TestWhenItIsNone:
    def test_all_kinds_look_the_same(self, admin: User) -> None:
        used, old, back, void = (invite(admin) for _each in range(4))
        Client().post(used, NEW)
        hashes = {address: tokens.hash_of(address.split("/")[2]) for address in (used, old, back, void)}
        now = timezone.now()
        Invitation.objects.filter(token_hash=hashes[old]).update(expires_at=now)
        Invitation.objects.filter(token_hash=hashes[back]).update(revoked_at=now)
        gone = make_user("gone", role=Role.ADMIN, is_active=False)
        Invitation.objects.filter(token_hash=hashes[void]).update(created_by=gone)
        pages = set()
        for address in (used, old, back, void, "/invitations/never/", f"/invitations/{'x' * 500}/"):
            for answer in (Client().get(address), Client().post(address, NEW)):
                assert answer.status_code == 404
                pages.add(answer.content)
                assert "no-store" in answer["Cache-Control"]
        assert len(pages) == 1
        assert b"Ask whoever gave it to you" in pages.pop()

    def test_of_an_administrator_who_is_none_any_more(self, admin: User) -> None:
        address = invite(admin)
        User.objects.update(role=Role.MEMBER, is_superuser=False)
        assert Client().get(address).status_code == 404

    @pytest.mark.django_db(transaction=True)
    def test_two_at_the_same_moment_make_one_person(self) -> None:
        address = invite(make_user("root", role=Role.ADMIN))
        gate, answers = threading.Barrier(4), []

        def join(number: int) -> None:
            client = Client()
            client.get(address)
            gate.wait()
            answers.append(client.post(address, NEW | {"username": f"ming{number}", "email": ""}).status_code)
            connection.close()

        threads = [threading.Thread(target=join, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [302, 404, 404, 404]
        assert User.objects.filter(username__startswith="ming").count() == 1


class TestInTheAdmin:
    def test_the_address_is_shown_once_and_kept_nowhere(self, admin: User, alice: User) -> None:
        desk = signed_in(admin)
        address = make_in_admin(desk)
        token = address.rstrip("/").rpartition("/")[2]
        assert address == f"http://testserver/invitations/{token}/"
        row = Invitation.objects.get()
        assert (row.token_hash, row.token_end) == (tokens.hash_of(token), token[-4:])
        assert row.created_by == admin
        assert timedelta(days=6, hours=23) < row.expires_at - timezone.now() <= timedelta(days=7)
        for place in (LIST, reverse("admin:generations_invitation_change", args=[row.pk])):
            assert token not in desk.get(place).content.decode()
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names():
                cursor.execute(f"SELECT * FROM {table}")  # noqa: S608
                assert token not in str(cursor.fetchall()), table
        assert Client().get(address).status_code == 200

    def test_the_public_address_is_used_where_there_is_one(self, admin: User, settings: Any) -> None:
        settings.VIDEOFORGE_PUBLIC_URL = "https://videoforge.example"
        assert make_in_admin(signed_in(admin)).startswith("https://videoforge.example/invitations/")

    @pytest.mark.parametrize("days", ["0", "31", "-1", "x", ""])
    def test_it_lasts_thirty_days_at_most(self, admin: User, days: str) -> None:
        desk = signed_in(admin)
        answer = desk.post(ADD, {"name": "", "email": "", "role": "member", "days": days})
        assert "errornote" in answer.content.decode()
        assert not Invitation.objects.exists()

    def test_it_is_mailed_where_there_is_mail(self, admin: User, settings: Any) -> None:
        make_in_admin(signed_in(admin), email="ming@house.example")
        assert not mail.outbox
        settings.VIDEOFORGE_SENDS_MAIL = True
        address = make_in_admin(signed_in(admin), email="ming@house.example")
        [sent] = mail.outbox
        assert sent.to == ["ming@house.example"]
        assert address in sent.body

    def test_a_mail_that_does_not_go_is_said(self, admin: User, settings: Any, monkeypatch: Any) -> None:
        def refuse(*_: Any) -> int:
            raise ConnectionRefusedError

        monkeypatch.setattr(invitations, "send_mail", refuse)
        settings.VIDEOFORGE_SENDS_MAIL = True
        answer = signed_in(admin).post(ADD, {"email": "ming@house.example", "role": "member", "days": "7"})
        assert "No mail went to ming@house.example" in answer.content.decode()

    def test_taking_one_back_closes_it_and_is_in_the_record(self, admin: User) -> None:
        desk = signed_in(admin)
        address = make_in_admin(desk)
        chosen = {"action": "revoke", "_selected_action": list(Invitation.objects.values_list("pk", flat=True))}
        assert "1 invitation was taken back" in desk.post(LIST, chosen, follow=True).content.decode()
        assert Client().get(address).status_code == 404
        assert "revoked" in desk.get(LIST).content.decode()
        rows = LogEntry.objects.filter(content_type__model="invitation")
        assert [row.actor for row in rows] == [admin, admin]
        assert Invitation.objects.get().token_hash not in json.dumps([row.changes for row in rows])

    def test_accepting_is_in_the_record(self, admin: User) -> None:
        Client().post(invite(admin), NEW)
        latest = LogEntry.objects.filter(content_type__model="invitation").latest("pk")
        assert "accepted_at" in latest.changes

    def test_auditors_look_and_members_do_not(self, admin: User, alice: User) -> None:
        make_in_admin(signed_in(admin))
        auditor = signed_in(make_user("auditor", role=Role.AUDITOR))
        assert auditor.get(LIST).status_code == 200
        assert auditor.get(ADD).status_code == 403
        assert auditor.post(ADD, {"role": "admin", "days": "7"}).status_code == 403
        chosen = {"action": "revoke", "_selected_action": [Invitation.objects.get().pk]}
        assert auditor.post(LIST, chosen).status_code == 403
        assert Invitation.objects.get().revoked_at is None
        assert signed_in(alice).get(LIST).status_code == 302
        assert Client().get(LIST).status_code == 302

    def test_each_state_has_its_word(self, admin: User) -> None:
        for _each in range(4):
            invite(admin)
        used, back, old, _open = Invitation.objects.all()
        now = timezone.now()
        for row, changes in ((used, {"accepted_at": now}), (back, {"revoked_at": now}), (old, {"expires_at": now})):
            Invitation.objects.filter(pk=row.pk).update(**changes)
        words = [invitations.state_of(row) for row in Invitation.objects.select_related("created_by")]
        assert words == ["accepted", "revoked", "expired", "open"]
