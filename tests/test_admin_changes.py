"""Who changed what is kept with person and address, without a letter of a secret; the engine leaves no trace there."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.contrib import admin as django_admin
from django.contrib.auth.models import Group
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from generations import ciphers, evidence, keys, ledger, lifecycle
from generations.models import Budget, ProviderKey, Rate, User
from generations.providers.base import Failure, FailureClass
from tests.factories import SECRET, make_budget, make_key, make_task
from tests.test_admin import CALLBACK, entered
from tests.test_lifecycle import success
from tests.views.pages import signed_in

pytestmark = pytest.mark.django_db
CANARY = "sandbox-canary-7f3a-not-a-real-key"
SECOND = "sandbox-canary-9c1e-not-a-real-key"
CHANGE = "admin:generations_providerkey_change"


@pytest.fixture
def desk(client: Client, admin: User) -> Client:
    client.force_login(admin)
    LogEntry.objects.all().delete()
    return client


def changes(model: type | None = None) -> list[Any]:
    rows = LogEntry.objects.order_by("pk")
    return list(rows.filter(content_type__model=model.__name__.lower()) if model else rows)


class TestWhat:
    def test_a_key_with_person_and_address(self, desk: Client, admin: User) -> None:
        desk.post(reverse("admin:generations_providerkey_add"), entered(), REMOTE_ADDR="192.0.2.7")
        [row] = changes()
        assert (row.action, row.actor, row.remote_addr) == (LogEntry.Action.CREATE, admin, "192.0.2.7")
        assert row.changes["label"] == ["None", "Studio"]
        assert row.changes["secret_cipher"] == ["***", "***"]
        assert "fingerprint" not in row.changes
        assert "balance" not in row.changes

    @pytest.mark.parametrize("action", ["drain_keys", "disable_keys"])
    def test_the_actions_of_the_list(self, desk: Client, key: ProviderKey, action: str) -> None:
        LogEntry.objects.all().delete()
        chosen = {"action": action, "_selected_action": [key.pk]}
        desk.post(reverse("admin:generations_providerkey_changelist"), chosen)
        desk.post(reverse("admin:generations_providerkey_changelist"), chosen)
        [row] = changes(ProviderKey)
        assert list(row.changes) == ["state"], "the second press changed nothing"

    def test_a_rotation_names_both_keys(self, desk: Client, key: ProviderKey) -> None:
        make_budget(key)
        LogEntry.objects.all().delete()
        desk.post(reverse("admin:rotate-key", args=[key.pk]), {"secret": CANARY})
        old, new = changes(ProviderKey)
        assert set(old.changes) == {"label", "state"}
        assert "Studio (until" in new.changes["replaces"][1]
        [budget] = changes(Budget)
        assert (budget.action, set(budget.changes)) == (LogEntry.Action.UPDATE, {"key"})

    def test_budgets_rates_people_and_teams(self, desk: Client, alice: User, key: ProviderKey) -> None:
        team = Group.objects.create(name="Trailer")
        budget = make_budget(key)
        LogEntry.objects.all().delete()
        fields = {"key": key.pk, "period": "month", "limit": "200", "unit": "credit", "warn_at": 70, "active": "on"}
        desk.post(reverse("admin:generations_budget_change", args=[budget.pk]), fields)
        [row] = changes(Budget)
        assert row.changes["limit"] == ["100.0000", "200"]
        fields = {"unit": "credit", "currency": "CNY", "per_unit": "0.03", "valid_from": "2026-01-01"}
        desk.post(reverse("admin:generations_rate_add"), fields)
        [row] = changes(Rate)
        assert row.changes["per_unit"][1] == "0.03"
        desk.post(reverse("admin:generations_user_change", args=[alice.pk]), person(alice, groups=[team.pk]))
        [row] = changes(User)
        assert row.changes == {"groups": {"type": "m2m", "operation": "add", "objects": ["Trailer"]}}

    def test_a_password_is_told_as_changed_without_its_hash(self, desk: Client, alice: User) -> None:
        LogEntry.objects.all().delete()
        new = {"password1": "a-long-one-7391", "password2": "a-long-one-7391", "usable_password": "true"}
        desk.post(reverse("admin:auth_user_password_change", args=[alice.pk]), new)
        alice.refresh_from_db()
        assert alice.check_password("a-long-one-7391")
        [row] = changes(User)
        assert row.changes == {"password": ["***", "***"]}

    def test_signing_in_and_choosing_a_theme_is_no_change(self, alice: User) -> None:
        LogEntry.objects.all().delete()
        client = Client()
        client.post("/accounts/sign-in/", {"username": "alice", "password": "pass"})
        client.post("/settings/look/", {"theme": "dark", "language": "zh-hans", "next": "/"})
        assert changes() == []


def person(user: User, **over: Any) -> dict[str, Any]:
    return {
        "username": user.username, "first_name": user.first_name, "last_name": user.last_name, "role": user.role,
        "is_active": "on", "theme": "auto", "time_zone": "UTC", "groups": [], **over,
    }  # fmt: skip


def test_the_engine_leaves_no_trace(alice: User, key: ProviderKey) -> None:
    task = make_task(alice, key=key, state="queued")
    LogEntry.objects.all().delete()
    evidence.worked(key)
    evidence.failed(key, Failure(FailureClass.ACCOUNT_AUTH, "unauthorized", "no"))
    lifecycle.observe(task, success())
    keys.learn_vendor_id(key, "key_01")
    ProviderKey.objects.update(state="draining")
    keys.retire_drained()
    assert changes() == []


class TestFromWhere:
    @pytest.mark.parametrize(
        ("peer", "claimed", "noted"),
        [
            ("192.0.2.7", "", "192.0.2.7"),
            ("192.0.2.7", "203.0.113.9", "192.0.2.7"),
            ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
            ("127.0.0.1", "'; drop table", "127.0.0.1"),
            ("::1", "2001:db8::5", "2001:db8::5"),
            ("", "", None),
        ],
    )
    def test_what_a_client_claims_is_not_believed(
        self, desk: Client, key: ProviderKey, peer: str, claimed: str, noted: str | None
    ) -> None:
        chosen = {"action": "drain_keys", "_selected_action": [key.pk]}
        place = reverse("admin:generations_providerkey_changelist")
        desk.post(place, chosen, REMOTE_ADDR=peer, headers={"X-Forwarded-For": claimed, "X-Correlation-Id": "x" * 999})
        row = changes(ProviderKey)[-1]
        assert (row.remote_addr, row.cid) == (noted, None)


class TestReading:
    def test_auditors_read_what_was_before_and_after(self, desk: Client, key: ProviderKey) -> None:
        chosen = {"action": "drain_keys", "_selected_action": [key.pk]}
        desk.post(reverse("admin:generations_providerkey_changelist"), chosen)
        client = signed_in(User.objects.create_user("auditor", role="auditor"))
        html = client.get(reverse("admin:auditlog_logentry_changelist")).content.decode()
        assert "Studio" in html
        assert "State" in html
        row = changes(ProviderKey)[-1]
        html = client.get(reverse("admin:auditlog_logentry_change", args=[row.pk])).content.decode()
        assert "<td>active</td><td>draining</td>" in html

    @pytest.mark.parametrize(("address", "told"), [("192.0.2.7", "not signed in"), (None, "on the machine itself")])
    def test_who_it_was_that_has_no_name(self, desk: Client, key: ProviderKey, address: str | None, told: str) -> None:
        """A stranger who opened a link is not the operator at a terminal."""
        row = LogEntry.objects.log_create(key, force_log=True, action=LogEntry.Action.ACCESS, remote_addr=address)
        for page, args in (("changelist", []), ("change", [row.pk])):
            html = desk.get(reverse(f"admin:auditlog_logentry_{page}", args=args)).content.decode()
            assert told in html
            assert "API key" in html

    def test_nobody_changes_or_deletes_the_record(self, desk: Client, key: ProviderKey) -> None:
        row = changes(ProviderKey)[-1] if changes(ProviderKey) else LogEntry.objects.log_create(key, action=1)
        assert desk.post(reverse("admin:auditlog_logentry_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
        assert desk.post(reverse("admin:auditlog_logentry_change", args=[row.pk])).status_code == 403

    def test_a_page_of_it_costs_the_same_for_many(self, desk: Client, django_assert_max_num_queries: Any) -> None:
        for number in range(30):
            make_key(f"Key {number}")
        with django_assert_max_num_queries(8):
            assert "Key 29" in desk.get(reverse("admin:auditlog_logentry_changelist")).content.decode()


def _everything_told(client: Client) -> Iterator[str]:
    """All pages of the admin, all that is kept of changes, and what was said on the way."""
    for model in django_admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield client.get(reverse(f"{name}_changelist")).content.decode()
        for row in model._default_manager.all()[:5]:
            yield client.get(reverse(f"{name}_change", args=[row.pk])).content.decode()
            yield client.get(reverse(f"{name}_history", args=[row.pk])).content.decode()
    yield client.get("/admin/").content.decode()
    yield repr(list(LogEntry.objects.values()))
    yield repr(list(django_admin.models.LogEntry.objects.values()))


def test_a_secret_is_nowhere_but_in_its_cipher(desk: Client, alice: User, caplog: pytest.LogCaptureFixture) -> None:
    said: list[str] = []

    def post(place: str, **fields: Any) -> None:
        answer = desk.post(place, fields)
        said.append(answer.content.decode())
        said.extend(str(message) for message in get_messages(answer.wsgi_request))

    post(reverse("admin:generations_providerkey_add"), **entered(secret=CANARY))
    key = ProviderKey.objects.get()
    place = reverse(CHANGE, args=[key.pk])
    post(place, **entered(secret="", base_url=key.base_url, setting_callback_secret=CALLBACK))
    post(reverse("admin:generations_providerkey_add"), **entered(secret=CANARY, label="Twin"))
    post(reverse("admin:rotate-key", args=[key.pk]), secret=CANARY)
    post(reverse("admin:rotate-key", args=[key.pk]), secret=SECOND)
    task = make_task(alice, key=key, state="succeeded")
    ledger.reserve(task, Decimal(55))
    key.refresh_from_db()
    new = ProviderKey.objects.get(label="Studio")
    assert (key.account().secret, new.account().secret) == (CANARY, SECOND)
    assert new.account().options["callback_secret"] == CALLBACK
    told = "\n".join([*said, *_everything_told(desk), caplog.text])
    assert "Studio (until" in told
    for secret in (CANARY, SECOND, CALLBACK, key.secret_cipher, new.secret_cipher, new.options["callback_secret"]):
        assert secret not in told
    for whole in (ciphers.fingerprint(CANARY), ciphers.fingerprint(SECOND), alice.password, SECRET):
        assert whole not in told
    assert timezone.localdate().isoformat() in told
