"""The admin: secrets go in and never come out, records are read only, a test tells what the vendor said."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from generations import admin as admin_module
from generations import ledger
from generations.models import ProviderKey, User
from tests.factories import SECRET, make_key, make_task

pytestmark = pytest.mark.django_db
LIST = "admin:generations_providerkey_changelist"
CHANGE = "admin:generations_providerkey_change"


@pytest.fixture
def desk(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def entered(**over: object) -> dict[str, object]:
    return {
        "label": "Studio", "provider": "vidu", "secret": SECRET, "base_url": "", "state": "active",
        "max_in_flight": 5, "note": "", "options": "{}", "expires_on": "", **over,
    }  # fmt: skip


def test_a_key_is_added_and_its_secret_never_shown(desk: Client, admin: User) -> None:
    desk.post(reverse("admin:generations_providerkey_add"), entered())
    key = ProviderKey.objects.get()
    assert (key.account().secret, key.added_by, key.base_url) == (SECRET, admin, "https://api.vidu.com")
    for page in (reverse(LIST), reverse(CHANGE, args=[key.pk])):
        content = desk.get(page).content.decode()
        assert SECRET not in content
        assert key.secret_cipher not in content
        assert "san…0001" in content


def test_an_empty_secret_keeps_the_present_one(desk: Client, key: ProviderKey) -> None:
    desk.post(reverse(CHANGE, args=[key.pk]), entered(secret="", label="Renamed", base_url=key.base_url))
    key.refresh_from_db()
    assert (key.label, key.account().secret) == ("Renamed", SECRET)


@pytest.mark.parametrize("secret", ["", "short", "with space in it", "line\nend-and-more", "ключ-ключ-ключ"])
def test_what_cannot_be_a_key_is_refused_with_a_sentence(desk: Client, secret: str) -> None:
    answer = desk.post(reverse("admin:generations_providerkey_add"), entered(secret=secret))
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors["secret"]
    assert not ProviderKey.objects.exists()


def test_a_change_of_the_key_forgets_its_problem(desk: Client) -> None:
    key = make_key(problem="auth")
    assert "does not accept this key" in desk.get(reverse(LIST)).content.decode()
    desk.post(reverse(CHANGE, args=[key.pk]), entered(secret="sandbox-a-new-secret-2"))
    key.refresh_from_db()
    assert (key.problem, key.account().secret) == ("", "sandbox-a-new-secret-2")


def test_a_used_key_cannot_be_deleted(desk: Client, alice: User, key: ProviderKey) -> None:
    make_task(alice, key=key)
    assert desk.post(reverse("admin:generations_providerkey_delete", args=[key.pk])).status_code == 403
    assert ProviderKey.objects.exists()


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ({"last_ok_at": timezone.now(), "balance": 9945}, "is good"),
        ({"last_error_at": timezone.now(), "last_error": "unauthorized"}, "unauthorized"),
        ({}, "no answer yet"),
    ],
)
def test_the_test_button_tells_what_the_worker_heard(
    desk: Client, key: ProviderKey, monkeypatch: pytest.MonkeyPatch, outcome: dict[str, object], said: str
) -> None:
    def work(job: str, key_id: int) -> None:
        assert (job, key_id) == ("test_key", key.pk)
        if outcome:
            ProviderKey.objects.filter(pk=key_id).update(**outcome)

    monkeypatch.setattr(admin_module, "enqueue", work)
    monkeypatch.setattr(admin_module, "TEST_WAIT_SECONDS", 0.5)
    answer = desk.post(reverse("admin:test-key", args=[key.pk]), follow=True)
    assert said in answer.content.decode()


def test_the_test_needs_a_post(desk: Client, key: ProviderKey) -> None:
    assert desk.get(reverse("admin:test-key", args=[key.pk])).status_code == 405


@pytest.mark.parametrize("table", ["task", "usageentry"])
def test_records_are_read_only(desk: Client, alice: User, table: str) -> None:
    task = make_task(alice, state="succeeded")
    ledger.reserve(task, task.estimate)
    row = task if table == "task" else task.usage.get()
    assert desk.get(reverse(f"admin:generations_{table}_changelist")).status_code == 200
    page = desk.get(reverse(f"admin:generations_{table}_change", args=[row.pk]))
    assert page.status_code == 200
    assert b'name="_save"' not in page.content
    assert desk.get(reverse(f"admin:generations_{table}_add")).status_code == 403
    assert desk.post(reverse(f"admin:generations_{table}_delete", args=[row.pk])).status_code == 403


def test_members_do_not_get_in(client: Client, alice: User, key: ProviderKey) -> None:
    client.force_login(alice)
    for name, arguments in ((LIST, []), (CHANGE, [key.pk])):
        assert client.get(reverse(name, args=arguments)).status_code == 302


@pytest.mark.parametrize(
    ("action", "state"), [("drain_keys", "draining"), ("disable_keys", "disabled"), ("activate_keys", "active")]
)
def test_keys_are_put_away_and_back(desk: Client, key: ProviderKey, action: str, state: str) -> None:
    desk.post(reverse(LIST), {"action": action, "_selected_action": [key.pk]})
    key.refresh_from_db()
    assert key.state == state


def test_the_list_costs_the_same_for_many_keys(desk: Client, django_assert_max_num_queries: Callable) -> None:
    for number in range(12):
        make_key(f"Key {number}")
    with django_assert_max_num_queries(9):
        desk.get(reverse(LIST))


@pytest.mark.parametrize("table", ["schedule", "ormq", "success", "failure"])
def test_nobody_runs_functions_through_the_admin(desk: Client, table: str) -> None:
    assert desk.get(f"/admin/django_q/{table}/").status_code == 404


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ("https://elsewhere.example", "secret"),
        ("http://elsewhere.example", "base_url"),
        ("http://169.254.169.254/latest", "base_url"),
        ("https://user@api.vidu.com", "base_url"),
    ],
)
def test_a_secret_is_not_sent_elsewhere_by_those_who_do_not_know_it(
    desk: Client, key: ProviderKey, address: str, field: str
) -> None:
    answer = desk.post(reverse(CHANGE, args=[key.pk]), entered(secret="", base_url=address))
    assert answer.context["adminform"].form.errors[field]
    key.refresh_from_db()
    assert key.base_url == "http://127.0.0.1:9"


@pytest.mark.parametrize("options", ["[1]", '"text"', "7"])
def test_options_are_an_object(desk: Client, key: ProviderKey, options: str) -> None:
    answer = desk.post(reverse(CHANGE, args=[key.pk]), entered(options=options, base_url=key.base_url))
    assert answer.context["adminform"].form.errors["options"]
