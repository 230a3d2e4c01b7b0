"""Alice makes things, Bob works in the same house, Charlie must never see what is private; admin is staff."""

import os

import pytest

from generations.models import ProviderKey, User
from tests.factories import make_key, make_user

# Playwright's synchronous interface runs a loop in the test's thread; the ORM would refuse to work there.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


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
