"""An auditor sees everything of the admin and changes nothing, whichever page, action or address it is."""

import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from generations import invitations, ledger
from generations.admin.guards import Guarded, is_hidden
from generations.models import (
    Alert,
    AllowedHost,
    BudgetOverride,
    CatalogueEntry,
    Difference,
    Export,
    HouseRules,
    Invitation,
    PriceList,
    PriceRow,
    ProviderKey,
    Rate,
    Reconciliation,
    ShareLink,
    Task,
    User,
    VendorAddress,
)
from tests.factories import SECRET, make_budget, make_creation, make_key, make_task, make_user
from tests.views.pages import signed_in

pytestmark = pytest.mark.django_db
OWN = {"logout"}
TABLES = sorted(admin.site._registry, key=lambda model: model._meta.label_lower)


@pytest.fixture
def auditor(db: None) -> User:
    return make_user("auditor", role="auditor")


@pytest.fixture
def house(alice: User, admin: User) -> ProviderKey:
    """A row in every table that the admin shows."""
    key = make_key()
    task = make_task(alice, key=key, state="succeeded", charge=Decimal(55))
    make_creation(task, state="pending")
    ledger.reserve(task, Decimal(55))
    budget = make_budget(key)
    now, today = timezone.now(), timezone.localdate()
    BudgetOverride.objects.create(budget=budget, batch=task.batch, actor=admin, reason="Trailer", amount=5)
    Rate.objects.create(key=key, unit="credit", currency="CNY", per_unit=Decimal("0.03"), valid_from=today)
    Alert.objects.create(kind="key-failing", once="a", key=key, facts={"problem": "auth"})
    Export.objects.create(actor=admin, format="csv", first_day=today, last_day=today)
    run = Reconciliation.objects.create(key=key, from_at=now, to_at=now, actor=admin)
    Difference.objects.create(run=run, key=key, kind="theirs", unit="credit", theirs=Decimal(5), remote_id="1")
    AllowedHost.objects.create(host="media.example.com")
    ShareLink.objects.create(token_hash="0" * 64, token_end="abcd", owner=alice, created_by=alice, task=task)
    HouseRules.objects.create(pk=1)
    invitations.make(Invitation(name="Ming"), admin)
    VendorAddress.objects.create(provider="vidu", base_url="https://elsewhere.example/vidu")
    prices = PriceList.objects.create(provider="vidu", name="ours", unit="credit", valid_from=today)
    PriceRow.objects.create(price_list=prices, model="viduq3-turbo", per_second=Decimal(1))
    CatalogueEntry.objects.create(provider="vidu", mode="text2video", model="viduq3-turbo", action="hide")
    Group.objects.create(name="Trailer")
    return key


def address(model: type[Model], page: str, *arguments: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def ids(tables: Any) -> dict[str, int]:
    return {table._meta.label: table._default_manager.count() for table in tables}


def own_addresses() -> Iterator[str]:
    """Every address below the admin, with something in the place of what varies."""

    def walk(patterns: Any, prefix: str) -> Iterator[tuple[str, str]]:
        for each in patterns:
            if isinstance(each, URLResolver):
                yield from walk(each.url_patterns, prefix + str(each.pattern))
            elif isinstance(each, URLPattern):
                yield each.name or "", prefix + str(each.pattern)

    for name, pattern in walk(get_resolver().url_patterns, "/"):
        if not pattern.startswith("/admin/") or name in OWN or "(?P" in pattern or pattern.startswith("/admin/^"):
            continue
        given = pattern.replace("<path:object_id>", "1").replace("<int:pk>", "1").replace("<slug:what>", "adjust")
        given = given.replace("<path:content_type_id>", "1").replace("<int:content_type_id>", "1")
        yield given.replace("<id>", "1").replace("<path:url>", "x")


def test_every_table_has_a_row_so_that_the_walks_mean_something(house: ProviderKey) -> None:
    assert all(table._default_manager.exists() for table in TABLES), [
        table for table in TABLES if not table._default_manager.exists()
    ]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table._meta.model_name)
def test_lists_and_rows_are_shown(table: type[Model], house: ProviderKey, auditor: User) -> None:
    client, row = signed_in(auditor), table._default_manager.first()
    assert row is not None
    for page in (client.get(address(table, "changelist"), follow=True), client.get(address(table, "change", row.pk))):
        html = page.content.decode()
        assert page.status_code == 200
        assert 'name="_save"' not in html
        assert 'name="action"' not in html, "no action is offered"
        for told in (SECRET, house.secret_cipher, auditor.password):
            assert told not in html
    assert client.get(address(table, "history", row.pk)).status_code == 200
    assert client.get(address(table, "add")).status_code == 403


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table._meta.model_name)
def test_nothing_is_changed_by_any_post(table: type[Model], house: ProviderKey, auditor: User) -> None:
    client, before = signed_in(auditor), ids(TABLES)
    row = table._default_manager.first()
    assert row is not None
    owner = admin.site._registry[table]
    for name in [name for _function, name, _text in owner._get_base_actions()]:
        answer = client.post(address(table, "changelist"), {"action": name, "_selected_action": [row.pk]})
        assert answer.status_code == 403, name
    for page in (address(table, "add"), address(table, "change", row.pk), address(table, "delete", row.pk)):
        assert client.post(page, {"post": "yes"}).status_code == 403, page
    assert ids(TABLES) == before


@pytest.mark.parametrize("place", sorted(set(own_addresses())))
def test_no_address_of_the_admin_takes_a_post(place: str, house: ProviderKey, auditor: User) -> None:
    for data in ({}, {"confirmed": "yes", "secret": "sandbox-a-new-secret-9", "key": house.pk, "amount": "1"}):
        assert signed_in(auditor).post(place, data).status_code in (403, 405), place


def test_the_walk_finds_the_addresses_that_are_ours() -> None:
    found = set(own_addresses())
    for name, arguments in (
        ("test-key", [1]), ("rotate-key", [1]), ("reconcile-key", [1]), ("book", ["adjust"]), ("copy-price-list", [1]),
    ):  # fmt: skip
        assert reverse(f"admin:{name}", args=arguments) in found


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_change_nothing_either(method: str, house: ProviderKey, auditor: User) -> None:
    assert getattr(signed_in(auditor), method)(address(ProviderKey, "change", house.pk)).status_code == 403


def test_the_pages_that_book_and_rotate_are_not_even_shown(house: ProviderKey, auditor: User) -> None:
    client = signed_in(auditor)
    for place in (reverse("admin:rotate-key", args=[house.pk]), reverse("admin:book", args=["adjust"])):
        assert client.get(place).status_code == 403
    page = client.get(address(ProviderKey, "change", house.pk)).content.decode()
    for told in ("Rotate", "Test with a free call", "Reconcile the last", "Add a budget", "Record a top-up"):
        assert told not in page


def test_without_the_layer_around_it_each_page_still_asks(house: ProviderKey, auditor: User, settings: Any) -> None:
    """Two locks: this tries the inner one alone."""
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if "auditors_only_look" not in each]
    client, before = signed_in(auditor), ids(TABLES)
    states = list(ProviderKey.objects.values_list("state", "label", "secret_cipher"))
    for table in TABLES:
        row = table._default_manager.first()
        assert row is not None
        for _function, name, _text in admin.site._registry[table]._get_base_actions():
            client.post(address(table, "changelist"), {"action": name, "_selected_action": [row.pk], "post": "yes"})
        for page in ("add", "change", "delete"):
            arguments = [] if page == "add" else [row.pk]
            assert client.post(address(table, page, *arguments), {"post": "yes"}).status_code == 403
    for place in own_addresses():
        client.post(place, {"confirmed": "yes", "secret": "sandbox-a-new-secret-9"})
    assert ids(TABLES) == before
    assert list(ProviderKey.objects.values_list("state", "label", "secret_cipher")) == states
    assert not Alert.objects.exclude(closed_at=None).exists()


def test_an_auditor_may_sign_out_and_change_the_own_password(auditor: User) -> None:
    client = signed_in(auditor)
    new = f"a-long-{uuid.uuid4().hex}"
    fields = {"oldpassword": "pass", "password1": new, "password2": new}
    there = client.get(reverse("admin:password_change"))["Location"]
    assert client.post(there, fields).status_code == 302
    auditor.refresh_from_db()
    assert auditor.check_password(new)
    assert client.post(reverse("admin:logout")).status_code in (200, 302)


def test_members_have_no_door(alice: User, house: ProviderKey) -> None:
    for place in ("/admin/", address(ProviderKey, "changelist"), reverse("admin:book", args=["adjust"])):
        assert signed_in(alice).get(place).status_code == 302
        assert signed_in(alice).post(place).status_code == 302


def test_an_administrator_passes(admin: User, house: ProviderKey) -> None:
    client = signed_in(admin)
    client.post(address(ProviderKey, "changelist"), {"action": "disable_keys", "_selected_action": [house.pk]})
    assert ProviderKey.objects.get().state == "disabled"


def test_somebody_whose_account_was_put_away_is_out(auditor: User, house: ProviderKey) -> None:
    client = signed_in(auditor)
    User.objects.filter(pk=auditor.pk).update(is_active=False)
    assert client.get("/admin/").status_code == 302


def test_all_tables_with_a_page_of_their_own_are_known() -> None:
    """A new table in the admin gets a row in ``house``; the sums are not shown there."""
    assert not {apps.get_model("generations", name) for name in ("LedgerTotal", "TaskTotal")} & set(TABLES)


def test_the_client_is_no_superuser(client: Client, auditor: User) -> None:
    assert auditor.is_staff
    assert not auditor.is_superuser
    assert not auditor.is_admin


# --- What a filter would tell ------------------------------------------------------------------------------------


def hidden_paths(table: type[Model], deep: bool = True) -> Iterator[tuple[str, str]]:
    """What of a table is nobody's to read, and of the tables that it leads to; each with what stands there."""
    for each in table._meta.get_fields():
        other = each.related_model
        if not each.is_relation and is_hidden(each.name):
            row = table._default_manager.exclude(**{each.name: ""}).first()
            yield each.name, str(getattr(row, each.name, "")) or "x"
        elif deep and isinstance(other, type) and issubclass(other, Model):
            name = each.name if hasattr(each, "attname") or each.many_to_many else each.field.related_query_name()
            yield from ((f"{name}__{path}", begins) for path, begins in hidden_paths(other, deep=False))


def is_told(client: Client, table: type[Model], path: str, value: str) -> tuple[int, str]:
    """All of an answer by which a right guess could be told from a wrong one."""
    answer = client.get(address(table, "changelist"), {path: value})
    return answer.status_code, answer.headers.get("Location", "")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table._meta.model_name)
def test_no_filter_tells_what_is_hidden(table: type[Model], house: ProviderKey, auditor: User) -> None:
    ShareLink.objects.update(passphrase_hash="pbkdf2_sha256$1")
    client = signed_in(auditor)
    for path, value in hidden_paths(table):
        for lookup, right, wrong in (
            ("startswith", value[:4], "nothing-begins-so"), ("regex", "^.", "^nothing"), ("gt", "", "~~~"),
        ):  # fmt: skip
            asked = f"{path}__{lookup}"
            refused = (400, "")
            assert (is_told(client, table, asked, right), is_told(client, table, asked, wrong)) == (refused, refused)


def test_what_is_hidden_is_what_was_meant(house: ProviderKey) -> None:
    hidden = {(table, path) for table in TABLES for path, _value in hidden_paths(table)}
    for table, path in (
        (ProviderKey, "secret_cipher"), (ProviderKey, "fingerprint"), (ShareLink, "token_hash"), (User, "password"),
        (ProviderKey, "options"), (ShareLink, "passphrase_hash"), (Invitation, "token_hash"),
        (Task, "share_links__token_hash"), (Task, "attempt__callback_digest"), (ShareLink, "owner__password"),
        (User, "share_links__passphrase_hash"), (ProviderKey, "attempts__callback_digest"),
        (Task, "key__secret_cipher"),
    ):  # fmt: skip
        assert (table, path) in hidden


def test_every_table_is_guarded_and_none_is_searched_by_what_is_hidden() -> None:
    for table, owner in admin.site._registry.items():
        assert isinstance(owner, Guarded), table
        assert not [name for name in (*owner.search_fields, *map(str, owner.list_filter)) if is_hidden(name)]


def test_what_is_shown_still_filters(house: ProviderKey, auditor: User) -> None:
    client = signed_in(auditor)
    for label, status in (("x", 200), ("key__id__exact", 200)):
        table = ProviderKey if label == "x" else Task
        query = {"label__startswith": "x"} if label == "x" else {label: str(house.pk)}
        assert client.get(address(table, "changelist"), query).status_code == status
