"""Alice makes things, Bob works in the same house, Charlie must never see what is private; admin is staff."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection

from generations import triggers
from generations.models import ProviderKey, User
from tests import cookies
from tests.factories import make_key, make_user

# Playwright's synchronous interface runs a loop in the test's thread; the ORM would refuse to work there.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(autouse=True, scope="session")
def _the_test_client_is_a_browser() -> Iterator[None]:
    with cookies.understood():
        yield


@pytest.fixture(autouse=True, scope="session")
def _tests_may_empty_the_ledger() -> Iterator[None]:
    """What a test with real transactions left is deleted after it, against which the ledger's triggers stand."""
    flush = connection.ops.sql_flush

    def with_triggers_off(*args: Any, **kwargs: Any) -> list[str]:
        installs = {"sqlite": triggers.SQLITE, "postgresql": triggers.POSTGRESQL}[connection.vendor]
        return [*triggers.removals(connection.vendor), *flush(*args, **kwargs), *installs]

    connection.ops.sql_flush = with_triggers_off  # type: ignore[method-assign]
    yield
    connection.ops.sql_flush = flush  # type: ignore[method-assign]


@pytest.fixture(autouse="REDIS_URL" in os.environ)
def _nothing_is_counted_yet() -> None:
    """What a test writes into a table is undone after it; what it tells a server is not."""
    cache.clear()


@pytest.fixture
def alice(db: None) -> User:
    return make_user("alice", first_name="Alice", last_name="Ames")


@pytest.fixture
def bob(db: None) -> User:
    return make_user("bob")


@pytest.fixture
def charlie(db: None) -> User:
    return make_user("charlie")


@pytest.fixture
def admin(db: None) -> User:
    return make_user("admin", is_staff=True, is_superuser=True)


@pytest.fixture
def key(db: None) -> ProviderKey:
    return make_key()
