"""A key's life: a new secret takes over and the old key drains, what the vendor calls it, and when it may go."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import httpx
import pytest
import respx
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from generations import dispatch, keys, ledger, lifecycle, sweep
from generations.models import (
    Attempt,
    AttemptState,
    Budget,
    KeyState,
    ProviderKey,
    Rate,
    Task,
    TaskState,
    UsageEntry,
    User,
)
from tests.factories import SECRET, make_attempt, make_budget, make_key, make_task
from tests.test_lifecycle import press, success
from tests.views.pages import signed_in

pytestmark = pytest.mark.django_db
VIDU = "https://api.vidu.com"
NEW = "sandbox-not-a-real-key-0002"


@pytest.fixture
def key(db: None) -> ProviderKey:
    return make_key(base_url=VIDU, max_in_flight=1, note="of the studio", options={"images": "url"})


@pytest.fixture
def vidu() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=VIDU, assert_all_called=False) as router:
        router.post("/ent/v2/text2video").side_effect = lambda request: httpx.Response(
            200, json={"task_id": str(9152 + len(router.calls)), "state": "created", "credits": 55}
        )
        yield router


def send_all() -> None:
    dispatch.dispatch()
    for attempt in Attempt.objects.filter(state=AttemptState.CLAIMED):
        dispatch.submit(attempt.pk)


class TestRotate:
    def test_the_old_one_drains_and_the_new_one_sends(
        self, alice: User, admin: User, key: ProviderKey, vidu: respx.MockRouter
    ) -> None:
        press(alice, key, count=3)
        send_all()
        running = Task.objects.get(state=TaskState.QUEUED)
        new = keys.rotate(key, NEW, admin)
        key.refresh_from_db()
        assert (new.label, key.state, new.state, new.replaces) == ("Studio", "draining", "active", key)
        assert sweep.move_waiting() == 2
        assert set(Task.objects.filter(state=TaskState.WAITING).values_list("key", flat=True)) == {new.pk}
        send_all()
        sent = [call.request.headers["Authorization"].split()[-1] for call in vidu.calls]
        assert sent == [SECRET, NEW]
        assert Attempt.objects.get(task=running).key == key, "what runs is followed with the key that made it"
        held = _held()
        assert held == {key.pk: 55, new.pk: 110}

        assert keys.retire_drained() == 0, "something of it still runs"
        lifecycle.observe(running, success())
        assert keys.retire_drained() == 0, "its copy is not made yet"
        Task.objects.filter(pk=running.pk).update(state=TaskState.SUCCEEDED)
        assert keys.retire_drained() == 1
        key.refresh_from_db()
        new.refresh_from_db()
        assert (key.state, new.state) == ("disabled", "active")

    def test_settings_budgets_and_rates_come_along(self, admin: User, key: ProviderKey) -> None:
        make_budget(key, 500, warn_at=70, note="of the studio")
        make_budget(key, 1, active=False)
        fields = {"unit": "credit", "currency": "CNY", "per_unit": Decimal("0.03"), "valid_from": date(2026, 1, 1)}
        Rate.objects.create(key=key, **fields)
        ProviderKey.objects.filter(pk=key.pk).update(
            balance=7, balance_at=timezone.now(), problem="auth", sends_per_second="0.5", vendor_key_id="key_01"
        )
        new = keys.rotate(key, NEW, admin, date(2027, 1, 1))
        assert (new.base_url, new.max_in_flight, new.note, new.options) == (VIDU, 1, "of the studio", {"images": "url"})
        assert (new.sends_per_second, new.expires_on, new.added_by) == (Decimal("0.5"), date(2027, 1, 1), admin)
        budget = Budget.objects.get(key=new, active=True)
        assert (budget.limit, budget.warn_at, budget.note) == (500, 70, "of the studio")
        assert Rate.objects.get(key=new).per_unit == Decimal("0.03")
        assert not Budget.objects.filter(key=key).exists(), "what the old one spends to its end counts in the same"
        assert (new.balance, new.problem, new.vendor_key_id, new.account().secret) == (None, "", "", NEW)

    def test_labels_stay_unique_however_often_and_however_long(self, admin: User, key: ProviderKey) -> None:
        ProviderKey.objects.update(label="S" * 60)
        key.refresh_from_db()
        for number in range(3):
            key = keys.rotate(key, f"{NEW}-{number}", admin)
            assert key.label == "S" * 60
        old = sorted(ProviderKey.objects.exclude(pk=key.pk).values_list("label", flat=True))
        today = timezone.localdate().isoformat()
        assert len(set(old)) == 3
        assert all(f"(until {today}" in label and len(label) <= 60 for label in old)

    def test_a_key_that_was_put_away_stays_away(self, admin: User, key: ProviderKey) -> None:
        ProviderKey.objects.update(state=KeyState.DISABLED)
        new = keys.rotate(key, NEW, admin)
        key.refresh_from_db()
        assert (key.state, new.state) == ("disabled", "active")

    @pytest.mark.parametrize(
        ("secret", "said"),
        [(SECRET, "“Studio” has this secret already"), ("seven77", "too short"), ("sandbox-other-0003", "“Other” has")],
    )
    def test_what_is_wrong_is_said_and_nothing_has_changed(
        self, admin: User, key: ProviderKey, secret: str, said: str
    ) -> None:
        make_key("Other", secret="sandbox-other-0003")
        with pytest.raises(ValueError, match=said) as caught:
            keys.rotate(key, secret, admin)
        assert secret not in str(caught.value)
        key.refresh_from_db()
        assert (key.label, key.state, ProviderKey.objects.count()) == ("Studio", "active", 2)

    def test_only_once(self, admin: User, key: ProviderKey) -> None:
        keys.rotate(key, NEW, admin)
        with pytest.raises(ValueError, match="replaced already"):
            keys.rotate(key, "sandbox-a-third-0003", admin)


def _held() -> dict[int, Decimal]:
    found: dict[int, Decimal] = {}
    for entry in UsageEntry.objects.filter(kind__in=ledger.HELD):
        found[entry.key_id] = found.get(entry.key_id, Decimal(0)) + entry.amount
    return found


class TestRotatePage:
    def test_the_secret_is_typed_once_and_never_told(self, admin: User, key: ProviderKey) -> None:
        client, place = signed_in(admin), reverse("admin:rotate-key", args=[key.pk])
        page = client.get(place).content.decode()
        assert page.count('type="password"') == 1
        answer = client.post(place, {"secret": NEW, "expires_on": "2027-01-01"}, follow=True)
        new = ProviderKey.objects.get(label="Studio")
        assert answer.redirect_chain[-1][0].endswith(f"/{new.pk}/change/")
        html = answer.content.decode()
        assert "follows what runs and then disables itself" in html
        assert NEW not in html
        assert (new.account().secret, new.expires_on, new.added_by) == (NEW, date(2027, 1, 1), admin)
        assert "has been replaced already" in client.get(place).content.decode()

    def test_a_refused_secret_is_not_repeated(self, admin: User, key: ProviderKey) -> None:
        answer = signed_in(admin).post(reverse("admin:rotate-key", args=[key.pk]), {"secret": SECRET})
        html = answer.content.decode()
        assert answer.status_code == 422
        assert "“Studio” has this secret already" in html
        assert SECRET not in html
        assert ProviderKey.objects.count() == 1

    def test_the_list_leads_there_for_one_key(self, admin: User, key: ProviderKey) -> None:
        client, other = signed_in(admin), make_key("Other", secret=NEW)
        place = reverse("admin:generations_providerkey_changelist")
        answer = client.post(place, {"action": "rotate_key", "_selected_action": [key.pk]})
        assert answer["Location"] == reverse("admin:rotate-key", args=[key.pk])
        several = {"action": "rotate_key", "_selected_action": [key.pk, other.pk]}
        assert "Choose one key" in client.post(place, several, follow=True).content.decode()


class TestRetire:
    @pytest.fixture
    def draining(self, key: ProviderKey) -> ProviderKey:
        ProviderKey.objects.update(state=KeyState.DRAINING)
        key.refresh_from_db()
        return key

    def test_with_nothing_left_to_do(self, draining: ProviderKey) -> None:
        active = make_key("Other", secret=NEW)
        assert keys.retire_drained() == 1
        assert keys.retire_drained() == 0
        states = dict(ProviderKey.objects.values_list("label", "state"))
        assert states == {"Studio": "disabled", active.label: "active"}

    @pytest.mark.parametrize("state", TaskState.open())
    def test_not_while_anything_is_open(self, alice: User, draining: ProviderKey, state: TaskState) -> None:
        task = make_task(alice, key=draining, state=state)
        assert keys.retire_drained() == 0
        Task.objects.filter(pk=task.pk).update(state=TaskState.FAILED)
        assert keys.retire_drained() == 1

    def test_not_while_a_clip_that_moved_on_is_followed_with_it(self, alice: User, draining: ProviderKey) -> None:
        task = make_task(alice, key=draining, state=TaskState.QUEUED)
        Task.objects.filter(pk=task.pk).update(key=make_key("Other", secret=NEW))
        assert keys.retire_drained() == 0

    def test_not_while_a_lost_create_may_still_be_found(self, alice: User, draining: ProviderKey) -> None:
        task = make_task(alice, key=draining, state=TaskState.FAILED)
        attempt = make_attempt(task, state=AttemptState.UNKNOWN, remote_id="")
        assert keys.retire_drained() == 0
        Attempt.objects.filter(pk=attempt.pk).update(sent_at=timezone.now() - timedelta(days=8))
        assert keys.retire_drained() == 1


class TestVendorsName:
    def test_it_is_learnt_once_and_when_it_changes(self, key: ProviderKey) -> None:
        assert keys.learn_vendor_id(key, "key_01")
        assert not keys.learn_vendor_id(key, "key_01")
        assert not keys.learn_vendor_id(key, "  ")
        assert keys.learn_vendor_id(key, "key_02")
        key.refresh_from_db()
        assert key.vendor_key_id == "key_02"

    def test_it_stands_on_the_page(self, admin: User, key: ProviderKey) -> None:
        keys.learn_vendor_id(key, "key_01")
        page = signed_in(admin).get(reverse("admin:generations_providerkey_change", args=[key.pk]))
        assert "key_01" in page.content.decode()

    def test_a_new_secret_may_be_another_key_there(self, admin: User, key: ProviderKey) -> None:
        keys.learn_vendor_id(key, "key_01")
        fields = {
            "label": "Studio", "secret": NEW, "base_url": VIDU, "state": "active", "max_in_flight": 5,
            "follows_account": "on", "sends_per_second": "2", "setting_images": "url",
        }  # fmt: skip
        signed_in(admin).post(reverse("admin:generations_providerkey_change", args=[key.pk]), fields)
        key.refresh_from_db()
        assert (key.account().secret, key.vendor_key_id) == (NEW, "")


class TestKept:
    def test_a_person_with_work_is_deactivated_not_deleted(self, admin: User, alice: User, key: ProviderKey) -> None:
        make_task(alice, key=key)
        client, place = signed_in(admin), reverse("admin:generations_user_delete", args=[alice.pk])
        html = client.post(place, {"post": "yes"}, follow=True).content.decode()
        assert "Alice Ames has made or booked something" in html
        assert User.objects.filter(pk=alice.pk).exists()

    def test_a_person_without_any_may_go(self, admin: User, bob: User) -> None:
        signed_in(admin).post(reverse("admin:generations_user_delete", args=[bob.pk]), {"post": "yes"})
        assert not User.objects.filter(pk=bob.pk).exists()

    @pytest.mark.parametrize("table", ["providerkey", "user"])
    def test_many_at_once_is_not_offered(self, admin: User, key: ProviderKey, table: str) -> None:
        page = signed_in(admin).get(reverse(f"admin:generations_{table}_changelist")).content.decode()
        assert "delete_selected" not in page

    def test_a_key_with_a_million_rows_is_refused_without_reading_them(
        self, client: Client, admin: User, alice: User, key: ProviderKey, django_assert_max_num_queries: object
    ) -> None:
        for _number in range(20):
            make_task(alice, key=key)
        client.force_login(admin)
        with django_assert_max_num_queries(16):  # type: ignore[operator]
            client.post(reverse("admin:generations_providerkey_delete", args=[key.pk]), {"post": "yes"})
        assert ProviderKey.objects.filter(pk=key.pk).exists()
