"""The admin: secrets go in and never come out, records are read only, a test tells what the vendor said."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from generations import ciphers, ledger
from generations.admin import asking, settings_fields
from generations.models import ProviderKey, User, VendorAddress
from generations.providers import PROVIDERS
from generations.providers.base import KeySetting
from tests.factories import SECRET, make_key, make_task

pytestmark = pytest.mark.django_db
LIST = "admin:generations_providerkey_changelist"
CHANGE = "admin:generations_providerkey_change"
ADD = "admin:generations_providerkey_add"


@pytest.fixture
def desk(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def entered(**over: object) -> dict[str, object]:
    return {
        "label": "Studio", "provider": "vidu", "secret": SECRET, "base_url": "", "state": "active",
        "max_in_flight": 5, "follows_account": "on", "sends_per_second": "2", "note": "", "expires_on": "", **over,
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
    desk.post(reverse(CHANGE, args=[key.pk]), entered(secret="sandbox-a-new-secret-2", base_url=key.base_url))
    key.refresh_from_db()
    assert (key.problem, key.account().secret) == ("", "sandbox-a-new-secret-2")


def test_the_pace_of_a_key_is_entered_and_bounded(desk: Client, key: ProviderKey) -> None:
    page = desk.get(reverse(CHANGE, args=[key.pk])).content.decode()
    assert "that number counts" in page
    assert "no faster than this" in page
    address = reverse(CHANGE, args=[key.pk])
    for wrong in ("0", "-1", "51", "often"):
        answer = desk.post(address, entered(secret="", base_url=key.base_url, sends_per_second=wrong))
        assert answer.context["adminform"].form.errors["sends_per_second"], wrong
    desk.post(address, entered(secret="", base_url=key.base_url, sends_per_second="0.5", follows_account=""))
    key.refresh_from_db()
    assert (key.sends_per_second, key.follows_account) == (Decimal("0.50"), False)


def test_the_list_shows_whose_number_counts(desk: Client) -> None:
    key = make_key(max_in_flight=5, concurrency_limit=3)
    assert "0 / 3, as the account says" in desk.get(reverse(LIST)).content.decode()
    ProviderKey.objects.update(follows_account=False)
    html = desk.get(reverse(LIST)).content.decode()
    assert "0 / 5" in html
    assert "as the account says" not in html
    assert key.slots == 3


def test_a_used_key_cannot_be_deleted(desk: Client, alice: User, key: ProviderKey) -> None:
    make_task(alice, key=key)
    address = reverse("admin:generations_providerkey_delete", args=[key.pk])
    for answer in (desk.get(address, follow=True), desk.post(address, {"post": "yes"}, follow=True)):
        assert "“Studio” has tasks or ledger rows and stays. Disable it instead." in answer.content.decode()
    assert ProviderKey.objects.exists()


def test_an_unused_key_is_deleted(desk: Client, key: ProviderKey) -> None:
    desk.post(reverse("admin:generations_providerkey_delete", args=[key.pk]), {"post": "yes"})
    assert not ProviderKey.objects.exists()


FIGURES = {"balance": 9945, "concurrency_limit": 5, "vendor_running": 2, "vendor_queued": 1}


@pytest.mark.parametrize(
    ("provider", "outcome", "said"),
    [
        (
            "vidu",
            {"last_ok_at": timezone.now(), "balance_at": timezone.now(), **FIGURES},
            "Balance: 9,945 credits. At the vendor: 5 at once · 2 running · 1 queued.",
        ),
        ("vidu", {"last_ok_at": timezone.now()}, "it tells no balance"),
        ("vtrix", {"last_ok_at": timezone.now()}, "it tells no balance"),
        ("vidu", {"last_error_at": timezone.now(), "last_error": "unauthorized"}, "unauthorized"),
        ("vidu", {}, "no answer yet"),
    ],
)
def test_the_test_button_tells_what_the_worker_heard(
    desk: Client, monkeypatch: pytest.MonkeyPatch, provider: str, outcome: dict[str, object], said: str
) -> None:
    key = make_key(provider=provider)

    def work(job: str, key_id: int) -> None:
        assert (job, key_id) == ("test_key", key.pk)
        if outcome:
            ProviderKey.objects.filter(pk=key_id).update(**outcome)

    monkeypatch.setattr(asking, "enqueue", work)
    monkeypatch.setattr(asking, "TEST_WAIT_SECONDS", 0.5)
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
        ("https://api.vidu.cn", "secret"),
        ("https://elsewhere.example", "base_url"),
        ("http://elsewhere.example", "base_url"),
        ("http://api.vidu.com", "base_url"),
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


class TestAddressOfAKey:
    def test_an_unknown_one_is_refused_with_those_that_are_known(self, desk: Client) -> None:
        answer = desk.post(reverse(ADD), entered(base_url="https://elsewhere.example"))
        assert "https://api.vidu.com, https://api.vidu.cn" in str(answer.context["adminform"].form.errors["base_url"])
        assert not ProviderKey.objects.exists()

    def test_one_that_administrators_added_is_taken(self, desk: Client) -> None:
        VendorAddress.objects.create(provider="vidu", base_url="https://elsewhere.example/vidu")
        desk.post(reverse(ADD), entered(base_url="https://elsewhere.example/vidu/"))
        assert ProviderKey.objects.get().base_url == "https://elsewhere.example/vidu"

    def test_the_pages_name_the_known_ones(self, desk: Client, key: ProviderKey) -> None:
        VendorAddress.objects.create(provider="vidu", base_url="https://elsewhere.example/vidu")
        page = desk.get(reverse(CHANGE, args=[key.pk])).content.decode()
        assert "https://api.vidu.cn, https://elsewhere.example/vidu" in page
        assert "aizfw" not in page
        page = desk.get(reverse(ADD)).content.decode()
        assert all(each.base_urls[0] in page for each in PROVIDERS.values())

    def test_with_the_secret_it_moves_and_forgets_the_other_accounts_figures(self, desk: Client) -> None:
        key = make_key(balance_at=timezone.now(), **FIGURES)
        desk.post(reverse(CHANGE, args=[key.pk]), entered(base_url="https://api.vidu.cn"))
        key.refresh_from_db()
        assert (key.base_url, key.balance, key.balance_at, key.vendor_running) == ("https://api.vidu.cn", *[None] * 3)

    def test_a_key_at_an_address_that_left_the_list_is_not_activated(self, desk: Client) -> None:
        key = make_key(base_url="https://left.example", state="disabled")
        answer = desk.post(reverse(LIST), {"action": "activate_keys", "_selected_action": [key.pk]}, follow=True)
        key.refresh_from_db()
        assert key.state == "disabled"
        assert "https://left.example is no address of Vidu" in answer.content.decode()


class TestTwins:
    def test_the_same_secret_is_refused_with_the_key_that_has_it(self, desk: Client) -> None:
        make_key("First")
        answer = desk.post(reverse(ADD), entered(label="Second"))
        assert "“First” has this secret already" in str(answer.context["adminform"].form.errors["secret"])
        assert SECRET not in answer.content.decode()
        assert ProviderKey.objects.count() == 1

    def test_nor_may_another_key_take_it_over(self, desk: Client) -> None:
        make_key("First")
        key = make_key("Studio", secret="sandbox-another-one-2")
        answer = desk.post(reverse(CHANGE, args=[key.pk]), entered(base_url=key.base_url))
        assert answer.context["adminform"].form.errors["secret"]

    def test_a_key_may_be_given_its_own_secret_again(self, desk: Client, key: ProviderKey) -> None:
        assert desk.post(reverse(CHANGE, args=[key.pk]), entered(base_url=key.base_url)).status_code == 302

    def test_at_another_vendor_it_is_another_key(self, desk: Client) -> None:
        make_key("First")
        desk.post(reverse(ADD), entered(provider="vtrix"))
        assert ProviderKey.objects.filter(provider="vtrix").exists()


CALLBACK = "callback-secret-of-the-house-1"
PATH = KeySetting("path", "Path of a query", "/v2/{task_id}", placeholders=("task_id",))
SWITCH = KeySetting("experiments", "Experimental: upscale, extend, templates", False)
LINE = KeySetting("line", "A line", "")


class TestSettings:
    """What no document of a vendor settles is entered key by key."""

    def post(self, desk: Client, key: ProviderKey, **over: object) -> object:
        answer = desk.post(reverse(CHANGE, args=[key.pk]), entered(secret="", base_url=key.base_url, **over))
        key.refresh_from_db()
        return answer

    @pytest.fixture
    def trying(self, monkeypatch: pytest.MonkeyPatch) -> None:
        vidu = PROVIDERS["vidu"]
        monkeypatch.setattr(type(vidu), "settings", (*vidu.settings, PATH, SWITCH, LINE))

    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_every_setting_of_every_vendor_is_a_field(self, desk: Client, provider: str) -> None:
        key = make_key(provider=provider)
        answer = desk.get(reverse(CHANGE, args=[key.pk]))
        for setting in PROVIDERS[provider].settings:
            assert f"setting_{setting.name}" in answer.context["adminform"].form.fields
            assert f'name="setting_{setting.name}"' in answer.content.decode()
        assert 'name="options"' not in answer.content.decode()

    def test_saving_the_page_as_it_is_stores_nothing(self, desk: Client) -> None:
        for provider in PROVIDERS:
            key = make_key(provider, provider=provider)
            form = desk.get(reverse(CHANGE, args=[key.pk])).context["adminform"].form
            shown = {name: field.initial or "" for name, field in form.fields.items() if name.startswith("setting_")}
            self.post(desk, key, label=provider, **{name: value for name, value in shown.items() if value})
            assert key.options == {}

    def test_only_what_differs_is_stored(self, desk: Client, key: ProviderKey) -> None:
        self.post(desk, key, setting_images="url", setting_list_page_size="both")
        assert key.options == {"images": "url"}
        form = desk.get(reverse(CHANGE, args=[key.pk])).context["adminform"].form
        assert form.fields["setting_images"].initial == "url"
        self.post(desk, key, setting_images="inline", setting_list_page_size="both")
        assert key.options == {}

    def test_a_value_that_is_none_of_the_choices_is_refused(self, desk: Client, key: ProviderKey) -> None:
        answer = self.post(desk, key, setting_images="pigeon")
        assert answer.context["adminform"].form.errors["setting_images"]  # type: ignore[attr-defined]

    def test_a_secret_setting_is_stored_encrypted_and_never_shown(self, desk: Client, key: ProviderKey) -> None:
        self.post(desk, key, setting_callback_secret=CALLBACK)
        cipher = key.options["callback_secret"]
        assert CALLBACK not in cipher
        assert ciphers.decrypt(cipher) == CALLBACK == key.account().options["callback_secret"]
        page = desk.get(reverse(CHANGE, args=[key.pk])).content.decode()
        history = desk.get(reverse("admin:generations_providerkey_history", args=[key.pk])).content.decode()
        said = repr(list(LogEntry.objects.values()))
        for told in (CALLBACK, cipher):
            assert told not in page + history + said
        assert "One is stored; empty keeps it." in page

    def test_empty_keeps_a_secret_setting_and_a_tick_forgets_it(self, desk: Client, key: ProviderKey) -> None:
        self.post(desk, key, setting_callback_secret=CALLBACK)
        self.post(desk, key, setting_callback_secret="", setting_images="url")
        assert key.account().options == {"callback_secret": CALLBACK, "images": "url"}
        self.post(desk, key, setting_callback_secret="", forget_callback_secret="on")
        assert key.options == {"images": "url"}, "a list that was not sent stays as it was"

    def test_a_refused_form_does_not_repeat_the_secret(self, desk: Client, key: ProviderKey) -> None:
        answer = self.post(desk, key, label="", setting_callback_secret=CALLBACK)
        assert CALLBACK not in answer.content.decode()  # type: ignore[attr-defined]
        assert key.options == {}

    @pytest.mark.usefixtures("trying")
    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ("/v1/query", "{task_id} must stand in it"),
            ("v1/{task_id}", "starts with /"),
            ("/v1/{task_id}/{model}", "Only {task_id} may stand in braces"),
            ("/v1/{task_id.__class__}", "must stand in it"),
            ("/v1/{task_id!r}", "Only {task_id} may stand in braces"),
            ("/v1/{task_id", "braces do not match"),
            ("/v1/{task_id} x", "neither spaces"),
        ],
    )
    def test_a_line_that_the_translator_could_not_use_is_refused(
        self, desk: Client, key: ProviderKey, value: str, said: str
    ) -> None:
        answer = self.post(desk, key, setting_path=value)
        assert said in str(answer.context["adminform"].form.errors["setting_path"])  # type: ignore[attr-defined]
        assert key.options == {}

    @pytest.mark.usefixtures("trying")
    def test_a_line_and_a_switch_are_stored_as_what_they_are(self, desk: Client, key: ProviderKey) -> None:
        self.post(desk, key, setting_path="/v1/{task_id}/result", setting_experiments="on")
        assert key.options == {"path": "/v1/{task_id}/result", "experiments": True}
        self.post(desk, key, setting_path="")
        assert key.options == {}

    @pytest.mark.usefixtures("trying")
    def test_a_line_holds_nothing_that_ends_a_header(self, desk: Client, key: ProviderKey) -> None:
        answer = self.post(desk, key, setting_line="one\r\ntwo")
        assert answer.context["adminform"].form.errors["setting_line"]  # type: ignore[attr-defined]

    def test_what_the_column_holds_besides_is_kept(self, desk: Client) -> None:
        key = make_key(options={"of-a-later-version": 1, "images": "pigeon"})
        self.post(desk, key, setting_images="inline")
        assert key.options == {"of-a-later-version": 1}

    @pytest.mark.parametrize("options", [[1], "text", 7, None])
    def test_a_column_that_holds_something_else_breaks_nothing(self, desk: Client, options: object) -> None:
        key = make_key(options=options if options is not None else {})
        assert desk.get(reverse(CHANGE, args=[key.pk])).status_code == 200

    def test_a_new_key_is_told_where_they_will_be(self, desk: Client) -> None:
        assert "appear here once the key is saved" in desk.get(reverse(ADD)).content.decode()

    def test_labels_and_choices_are_translated_where_they_are_shown(
        self, desk: Client, key: ProviderKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings_fields, "_", lambda text: f"«{text}»")
        fields = desk.get(reverse(CHANGE, args=[key.pk])).context["adminform"].form.fields
        assert fields["setting_callback_secret"].label == "«Callback secret»"
        assert ("inline", "«inside the request»") in fields["setting_images"].choices


class TestWhoMay:
    def looker(self, client: Client, *codes: str) -> Client:
        person = User.objects.create_user("looker", role="auditor")
        person.user_permissions.set(Permission.objects.filter(codename__in=codes))
        client.force_login(person)
        return client

    def test_those_who_may_look_change_nothing(self, client: Client) -> None:
        cipher = ciphers.encrypt(CALLBACK)
        key = make_key(options={"images": "url", "callback_secret": cipher})
        looker = self.looker(client, "view_providerkey")
        page = looker.get(reverse(CHANGE, args=[key.pk]))
        content = page.content.decode()
        assert page.status_code == 200
        assert "by an address that the vendor fetches" in content
        assert 'type="password"' not in content
        for told in (SECRET, key.secret_cipher, cipher, CALLBACK):
            assert told not in content
        assert looker.post(reverse(CHANGE, args=[key.pk]), entered(base_url=key.base_url)).status_code == 403
        looker.post(reverse(LIST), {"action": "disable_keys", "_selected_action": [key.pk]})
        assert looker.post(reverse("admin:test-key", args=[key.pk])).status_code == 403
        key.refresh_from_db()
        assert key.state == "active"

    def test_the_vendor_of_a_key_stays(self, desk: Client, key: ProviderKey) -> None:
        desk.post(reverse(CHANGE, args=[key.pk]), entered(secret="", base_url=key.base_url, provider="vtrix"))
        key.refresh_from_db()
        assert key.provider == "vidu"


def test_figures_stand_on_list_and_page_with_their_age(desk: Client) -> None:
    asked = timezone.now() - timedelta(minutes=7)
    key = make_key(balance_at=asked, **FIGURES)
    for page in (reverse(LIST), reverse(CHANGE, args=[key.pk])):
        content = desk.get(page).content.decode().replace("\xa0", " ")
        assert "9,945 credits (7 minutes ago)" in content
    assert "5 at once · 2 running · 1 queued (7 minutes ago)" in content, "on the key's own page"


def test_nothing_inline_on_the_pages_of_keys(desk: Client, key: ProviderKey) -> None:
    for page in (reverse(LIST), reverse(ADD), reverse(CHANGE, args=[key.pk]), "/admin/"):
        content = desk.get(page).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>\s*[^<\s]|\son\w+=|<style", content), page
