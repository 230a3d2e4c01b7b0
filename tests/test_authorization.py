"""Every address x everybody: who gets in, and what all others get. A new address without a row here fails.

The rows name addresses by their names in the URL configuration. The admin has no rows: one rule holds for each of its
pages, and they are taken from the configuration as well.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from generations import tokens
from generations.models import (
    Alert,
    Audience,
    Difference,
    HouseRules,
    Invitation,
    ProviderKey,
    Reconciliation,
    ShareLink,
    Task,
    TaskInput,
    TaskState,
    User,
    Visibility,
)
from tests.factories import make_asset, make_budget, make_creation, make_key, make_task, make_user

pytestmark = pytest.mark.django_db

# Alice owns what there is; Bob is in her team; Charlie in none. "nobody" is signed out and knows every address.
ROLES = ("nobody", "alice", "bob", "charlie", "auditor", "admin")
SIGNED_IN = frozenset(ROLES) - {"nobody"}
STAFF = frozenset({"auditor", "admin"})
ALL = frozenset(ROLES)
PRIVATE, TEAM, HOUSE = "private", "team", "house"
LINK, OPEN_LINK, ENDED, NEVER = "link for the house", "link for anyone", "ended link", "no such link"
SEES = {PRIVATE: {"alice", *STAFF}, TEAM: {"alice", "bob", *STAFF}, HOUSE: set(SIGNED_IN)}
OWNS = {"alice", "admin"}

# What an answer means to who asked: let in, asked to sign in first, told no, or told that there is nothing.
IN, DOOR, NO, NOTHING = "in", "door", "no", "nothing"
DOORS = ("/accounts/sign-in/", "/admin/login/")


@dataclass(frozen=True)
class Row:
    """Who is let in by ``method``. Others are told ``else_``, and who is signed out is sent to the door."""

    name: str
    method: str
    let_in: frozenset[str]
    else_: str = NO
    about: str = ""  # the task: PRIVATE, TEAM or HOUSE; or the audience of a link
    out: str = DOOR
    no: frozenset[str] = frozenset()  # who sees what it is about, and may not do this

    @property
    def label(self) -> str:
        return " ".join(filter(None, (self.method, self.name, self.about)))

    def expects(self, role: str) -> str:
        if role in self.let_in:
            return IN
        if role == "nobody":
            return self.out
        return NO if role in self.no else self.else_


def rows() -> Iterator[Row]:
    for name in ("home", "composer-params", "composer-pictures", "composer-compare", "live", "library", "usage",
                 "usage-rows", "usage-export", "share-links", "settings-sign-in", "mfa_index", "usersessions_list",
                 "mfa_activate_totp", "mfa_generate_recovery_codes", "mfa_authenticate", "mfa_login_webauthn",
                 "mfa_list_webauthn", "mfa_add_webauthn", "account_change_password", "account_set_password",
                 "account_reauthenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn"):  # fmt: skip
        yield Row(name, "GET", SIGNED_IN)
    yield Row("composer-pictures", "POST", frozenset(), NOTHING, no=frozenset({"auditor"}))  # of no clip
    for name in ("task-create", "settings-look", "usersessions_list", "account_change_password",
                 "mfa_edit_webauthn", "mfa_remove_webauthn"):  # fmt: skip
        yield Row(name, "POST", SIGNED_IN)  # the last two ask for the password again before they look whose it is
    for name in ("mfa_edit_webauthn", "mfa_remove_webauthn"):
        yield Row(name, "GET", SIGNED_IN)
    for name in ("mfa_deactivate_totp", "mfa_view_recovery_codes"):  # nobody here has them
        yield Row(name, "GET", frozenset(), NOTHING)
    yield Row("share-revoke-all", "POST", SIGNED_IN - {"auditor"})
    for name in ("operations", "operations-list", "reconciliation", "reconciliation-run"):
        yield Row(name, "GET", STAFF)
    yield Row("reconciliation", "POST", STAFF)  # comparing changes nothing in the books
    for name in ("reconciliation-settle", "reconciliation-accept"):
        yield Row(name, "POST", frozenset({"admin"}))
    # No key of this house offers templates.
    yield Row("template-create", "GET", frozenset(), NOTHING)
    for name in ("healthz", "sign-in", "account_login", "account_inactive", "socialaccount_login_cancelled"):
        yield Row(name, "GET", ALL)
    for name in ("sign-out", "account_logout"):
        yield Row(name, "POST", frozenset(), DOOR)
    for name in ("openid_connect_login", "openid_connect_callback", "account_reset_password",
                 "account_reset_password_done", "account_reset_password_from_key"):  # fmt: skip
        yield Row(name, "GET", frozenset(), NOTHING, out=NOTHING)  # neither single sign-on nor mail is set up
    yield Row("account_reset_password_from_key_done", "GET", ALL)
    for name in ("input-picture", "invitation"):
        yield Row(name, "GET", frozenset(), NOTHING, out=NOTHING)  # of a secret that nobody has
    yield Row("callback", "POST", frozenset(), NOTHING, out=NOTHING)
    yield from of_tasks()
    yield from of_links()


def of_tasks() -> Iterator[Row]:
    for about in (PRIVATE, TEAM, HOUSE):
        sees = frozenset(SEES[about])
        for name in ("task-detail", "task-live", "task-download", "creation-video", "creation-poster", "asset-media"):
            yield Row(name, "GET", sees, NOTHING, about)
        yield Row("task-share", "GET", sees - {"auditor"}, NOTHING, about, no=frozenset({"auditor"}))
        yield Row("task-share", "POST", sees - {"auditor"}, NOTHING, about, no=frozenset({"auditor"}))
        for name in ("task-cancel", "task-ask"):
            yield Row(name, "POST", frozenset(OWNS), NOTHING, about, no=sees - OWNS)
        for name in ("task-decide", "task-give-up"):
            yield Row(name, "POST", frozenset({"admin"}), NOTHING, about, no=sees)
        yield Row("task-decide", "GET", STAFF, NOTHING, about, no=sees)
        yield Row("task-case", "GET", STAFF, NOTHING, about)
        yield Row("task-follow-up", "POST", frozenset(), NOTHING, about, no=frozenset({"auditor"}))  # no key offers it


def of_links() -> Iterator[Row]:
    media = ("share-video", "share-poster", "share-download")
    for name in ("share", *media):
        yield Row(name, "GET", SIGNED_IN, about=LINK, out=DOOR if name == "share" else NOTHING)
        yield Row(name, "GET", ALL, about=OPEN_LINK)
        yield Row(name, "GET", frozenset(), NOTHING, about=ENDED, out=NOTHING)
        yield Row(name, "GET", frozenset(), NOTHING, about=NEVER, out=NOTHING)
    yield Row("share-unlock", "POST", SIGNED_IN, about=LINK, out=NOTHING)
    yield Row("share-unlock", "POST", ALL, about=OPEN_LINK)
    yield Row("share-unlock", "POST", frozenset(), NOTHING, about=NEVER, out=NOTHING)
    for about in (ENDED, LINK):
        yield Row("share-ask", "POST", SIGNED_IN - {"auditor"}, NO, about, out=NOTHING)
    for name in ("share-revoke", "share-extend"):
        yield Row(name, "POST", frozenset(OWNS), NOTHING, LINK, no=frozenset({"auditor"}))


ROWS = list(rows())


# --- The house -----------------------------------------------------------------------------------------------


@dataclass
class House:
    people: dict[str, User]
    key: ProviderKey
    tasks: dict[str, Task]
    tokens: dict[str, str]
    kwargs: dict[str, dict[str, Any]]

    def client(self, role: str, **how: Any) -> Client:
        client = Client(**how)
        if role != "nobody":
            client.force_login(self.people[role], backend="generations.roles.RolesBackend")
        return client

    def path(self, row: Row) -> str:
        return reverse(row.name, kwargs=self._kwargs(row))

    def _kwargs(self, row: Row) -> dict[str, Any]:
        if row.name in self.kwargs:
            return self.kwargs[row.name]
        if row.name.startswith("share-") and row.name in ("share-revoke", "share-extend"):
            return {"pk": ShareLink.objects.get(audience=Audience.TEAM, revoked_at=None).pk}
        if row.about in self.tokens:
            number = {} if row.name in ("share", "share-unlock", "share-ask") else {"number": 1}
            return {"token": self.tokens[row.about], **number}
        return self._of_task(row) if row.about else {}

    def _of_task(self, row: Row) -> dict[str, Any]:
        task = self.tasks[row.about]
        if row.name.startswith("creation-"):
            return {"pk": task.creations.get().pk}
        if row.name == "asset-media":
            return {"pk": task.inputs.get().pk}
        return {"pk": task.pk, "mode": "upscale"} if row.name == "task-follow-up" else {"pk": task.pk}


@pytest.fixture
def empty_house(alice: User, bob: User, charlie: User, admin: User, key: ProviderKey) -> House:
    """With its people and a key, before anything was made."""
    team = Group.objects.create(name="Trailer")
    team.user_set.set([alice, bob])
    people = {"alice": alice, "bob": bob, "charlie": charlie, "admin": admin}
    people["auditor"] = make_user("auditor", role="auditor")
    return House(people, key, {}, {}, {})


@pytest.fixture
def house(empty_house: House) -> House:
    alice, key = empty_house.people["alice"], empty_house.key
    team = Group.objects.get()
    HouseRules.objects.create(anyone_links=True)
    tasks = {
        PRIVATE: task_of(alice, "#111111", visibility=Visibility.PRIVATE),
        TEAM: task_of(alice, "#222222", team=team),
        HOUSE: task_of(alice, "#333333"),
    }
    now = timezone.now()
    run = Reconciliation.objects.create(key=key, from_at=now - timedelta(days=1), to_at=now, state="complete")
    difference = Difference.objects.create(run=run, key=key, kind="theirs", unit="credit", remote_id="1")
    Alert.objects.create(kind="at-risk", once="x")
    assert difference.pk
    kwargs: dict[str, dict[str, Any]] = {
        "operations-list": {"name": "finished"},
        **{f"reconciliation-{what}": {"pk": run.pk} for what in ("run", "settle", "accept")},
        "callback": {"provider": "vidu", "word": "no-such-word"},
        "input-picture": {"token": "no-such-token", "name": "x.jpg"},
        "invitation": {"token": "no-such-token"},
        "account_reset_password_from_key": {"uidb36": "1", "key": "no-such-key"},
        **{f"mfa_{what}_webauthn": {"pk": 12345} for what in ("edit", "remove")},
    }
    return House(empty_house.people, key, tasks, links_on(tasks[HOUSE], alice), kwargs)


def task_of(owner: User, colour: str, **over: Any) -> Task:
    task = make_task(owner, state=TaskState.SUCCEEDED, charge=55, **over)
    make_creation(task)
    TaskInput.objects.create(task=task, asset=make_asset(owner, colour=colour), position=0)
    return task


def links_on(task: Task, owner: User) -> dict[str, str]:
    found = {NEVER: "x" * 43}
    now = timezone.now()
    for about in (LINK, OPEN_LINK, ENDED):
        found[about] = token = uuid.uuid4().hex
        ShareLink.objects.create(
            token_hash=tokens.hash_of(token), token_end=token[-4:], task=task, owner=owner, created_by=owner,
            audience=Audience.ANYONE if about == OPEN_LINK else Audience.TEAM,
            expires_at=now + timedelta(days=1) if about == OPEN_LINK else None,
            revoked_at=now if about == ENDED else None,
        )  # fmt: skip
    return found


def meaning(response: Any) -> str:
    """What came of it: a form that lacks something, or a file that is not there yet, is inside as well."""
    if response.status_code in (301, 302, 303) and response.headers["Location"].startswith(DOORS):
        return DOOR
    return {403: NO, 404: NOTHING, 410: NOTHING}.get(response.status_code, IN)


# --- The matrix ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=[row.label for row in ROWS])
def test_who_is_let_in(house: House, row: Row) -> None:
    """Each role on a page of its own: what one did must not change what the next one gets."""
    path, got = house.path(row), {}
    for role in ROLES:
        response = getattr(house.client(role), row.method.lower())(path)
        assert response.status_code < 500 or row.name == "healthz"  # no worker runs here
        got[role] = meaning(response)
    assert got == {role: row.expects(role) for role in ROLES}


def test_no_address_is_forgotten() -> None:
    named = {row.name for row in ROWS}
    known = {name for name, _place in addresses() if not name.startswith(("admin:", "/admin/"))}
    assert known - named == set(), "addresses without a row"
    assert named - known == set(), "rows without an address"


def test_how_many_checks_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    checks = len(ROWS) * len(ROLES) + len(ADMIN) * 2 * len(ROLES)
    with capsys.disabled():
        print(f" {checks} checks of who may what, on {len(ROWS)} rows and {len(ADMIN)} pages of the admin ", end="")  # noqa: T201
    assert checks > 1000


# --- The admin -----------------------------------------------------------------------------------------------


def addresses() -> Iterator[tuple[str, str]]:
    """Every name, with its pattern."""

    def walk(patterns: list[URLPattern | URLResolver], space: str, place: str) -> Iterator[tuple[str, str]]:
        for each in patterns:
            here = place + str(each.pattern)
            if isinstance(each, URLResolver):
                yield from walk(each.url_patterns, f"{each.namespace}:" if each.namespace else space, here)
            else:
                yield space + (each.name or here), here

    yield from walk(get_resolver().url_patterns, "", "/")


ADMIN = sorted({name for name, _place in addresses() if name.startswith("admin:")})
OPEN_TO_ALL = {"admin:login", "admin:logout", "admin:jsi18n", "admin:password_change"}  # the last leads to our own page
OWN = {"admin:password_change_done"}  # of the person who asks


def admin_path(name: str) -> str:
    place = next(place for known, place in addresses() if known == name)
    _, _, model = name.partition(":")
    pk = pk_for(model.rpartition("_")[0])
    for hole, value in {"<path:object_id>": pk, "<int:pk>": pk, "<id>": pk, "<slug:what>": "top-up",
                        "<int:content_type_id>": "1", "<path:content_type_id>": "1"}.items():  # fmt: skip
        place = place.replace(hole, str(value))
    return place.replace("(?P<app_label>auth|generations)/$", "auth/").replace("^", "")


def pk_for(model: str) -> Any:
    first = {"generations_providerkey": ProviderKey, "generations_user": User, "generations_sharelink": ShareLink}
    table = first.get(model)
    row = table.objects.order_by("pk").first() if table else None  # type: ignore[attr-defined]
    return row.pk if row else 1


@pytest.mark.parametrize("name", ADMIN)
def test_who_is_let_into_the_admin(empty_house: House, name: str) -> None:
    """Members stay outside, auditors change nothing, nothing breaks; and the signed out see the door."""
    make_budget(empty_house.key)
    path = admin_path(name)
    for method in ("get", "post"):
        got = {role: getattr(empty_house.client(role), method)(path) for role in ROLES}
        assert all(response.status_code < 500 for response in got.values())
        means = {role: meaning(response) for role, response in got.items()}
        if name in OPEN_TO_ALL:
            continue
        assert means["nobody"] in (DOOR, NOTHING), method
        for role in ("alice", "bob", "charlie"):
            assert means[role] in (NO, NOTHING) or got[role].status_code == 302, (method, role)
            assert b"<form" not in got[role].content, (method, role)
        if method == "post" and name not in OWN:
            assert means["auditor"] in (NO, NOTHING, DOOR), "an auditor posts nothing"


# --- Forged requests -----------------------------------------------------------------------------------------

TAKES_ANYTHING = {"callback"}  # vendors have no cookie of ours; each carries a signature or a secret word instead


@pytest.mark.parametrize("row", [row for row in ROWS if row.method == "POST"], ids=lambda row: row.label)
def test_nothing_is_written_without_our_own_form(house: House, row: Row) -> None:
    for role in ("alice", "admin", "nobody"):
        response = house.client(role, enforce_csrf_checks=True).post(house.path(row))
        assert response.status_code == 403 or row.name in TAKES_ANYTHING
    assert ShareLink.objects.filter(revoked_at=None).count() == 2
    assert not Invitation.objects.exists()


def test_another_house_does_not_matter(house: House) -> None:
    """Keys are no pages: whoever guesses their number in the admin sees the door."""
    other = make_key("Other")
    path = reverse("admin:generations_providerkey_change", args=[other.pk])
    assert meaning(house.client("nobody").get(path)) == DOOR
