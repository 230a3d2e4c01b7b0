"""What must never be is refused by the database itself, and secrets stay in their cipher text."""

import stat
import uuid
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.conf import settings as django_settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from generations import ciphers, ledger
from generations.models import (
    Attempt,
    Batch,
    Creation,
    EntryKind,
    ProviderKey,
    ShareLink,
    Task,
    UsageEntry,
    User,
)
from generations.providers.base import Money, Unit
from tests.factories import SECRET, make_attempt, make_creation, make_key, make_task
from videoforge.secrets import kept_secret

pytestmark = pytest.mark.django_db


class TestConstraints:
    def test_one_settle_a_task(self, alice: User) -> None:
        task = make_task(alice, state="archiving")
        ledger.settle(task, Money(Decimal(55), Unit.CREDIT))
        ledger.settle(task, Money(Decimal(99), Unit.CREDIT))
        assert UsageEntry.objects.get(kind=EntryKind.SETTLE).amount == 55
        entry = UsageEntry.objects.get(kind=EntryKind.SETTLE)
        entry.pk, entry.once = None, "another"
        with pytest.raises(IntegrityError), transaction.atomic():
            entry.save()

    def test_one_remote_id_a_provider_and_key(self, alice: User) -> None:
        task = make_task(alice, state="queued", remote_id="42")
        with pytest.raises(IntegrityError), transaction.atomic():
            make_attempt(task, remote_id="42")
        make_task(alice, state="queued", remote_id="42", key=make_key("Other"))
        assert Attempt.objects.filter(remote_id="42").count() == 2

    def test_many_attempts_without_a_remote_id(self, alice: User) -> None:
        for _ in range(3):
            make_task(alice, state="submitting")
        assert Attempt.objects.filter(remote_id="").count() == 3

    def test_one_batch_a_request_id(self, alice: User, bob: User) -> None:
        request_id = uuid.uuid4()
        Batch.objects.create(owner=alice, request_id=request_id, size=1)
        with pytest.raises(IntegrityError), transaction.atomic():
            Batch.objects.create(owner=bob, request_id=request_id, size=1)

    def test_a_stored_creation_has_its_file(self, alice: User) -> None:
        creation = make_creation(make_task(alice, state="archiving"), state="pending")
        with pytest.raises(IntegrityError), transaction.atomic():
            Creation.objects.filter(pk=creation.pk).update(state="stored")

    def test_a_share_link_covers_one_thing(self, alice: User) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            ShareLink.objects.create(token_hash="0" * 64, token_end="abcd", owner=alice, created_by=alice)

    def test_an_open_share_link_ends(self, alice: User) -> None:
        task = make_task(alice)
        fields = {"token_end": "abcd", "owner": alice, "created_by": alice, "task": task, "audience": "anyone"}
        with pytest.raises(IntegrityError), transaction.atomic():
            ShareLink.objects.create(token_hash="0" * 64, **fields)
        assert ShareLink.objects.create(token_hash="1" * 64, **fields, expires_at=timezone.now()).pk

    def test_what_is_paid_for_is_not_deleted(self, alice: User) -> None:
        task = make_task(alice)
        for row in (task.key, alice, task.batch):
            with pytest.raises(IntegrityError):
                row.delete()


class TestLedger:
    def test_a_row_is_never_changed_or_deleted(self, alice: User) -> None:
        ledger.reserve(make_task(alice), Decimal(5))
        entry = UsageEntry.objects.get()
        for attempt in (
            entry.save,
            entry.delete,
            UsageEntry.objects.all().delete,
            lambda: UsageEntry.objects.update(amount=0),
        ):
            with pytest.raises(TypeError, match="never"):
                attempt()
        assert UsageEntry.objects.get().amount == 5

    def test_nothing_is_held_where_nobody_knows_a_price(self, alice: User) -> None:
        ledger.reserve(make_task(alice, estimate=None), None)
        assert not UsageEntry.objects.exists()

    def test_totals_keep_units_apart(self, alice: User) -> None:
        ledger.reserve(make_task(alice), Decimal(5))
        ledger.settle(make_task(alice), Money(Decimal(7), Unit.CREDIT))
        ledger.settle(make_task(alice, unit="usd"), Money(Decimal("0.30"), Unit.USD))
        assert ledger.totals() == {
            "Studio": {
                "credit": {"reserved": Decimal(5), "settled": Decimal(7)},
                "usd": {"reserved": Decimal(0), "settled": Decimal("0.30")},
            }
        }

    def test_another_unit_is_never_booked_on_a_task(self, alice: User) -> None:
        with pytest.raises(ValueError, match="billed in credit"):
            ledger.settle(make_task(alice), Money(Decimal(1), Unit.USD))


class TestSecrets:
    def test_a_secret_stands_nowhere_in_the_clear(self, key: ProviderKey) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM generations_providerkey")
            stored = repr(cursor.fetchall())
        assert SECRET not in stored
        assert SECRET not in repr(key.__dict__)
        assert SECRET not in repr(key.account())
        assert key.account().secret == SECRET

    def test_a_mask_shows_seven_characters_at_most(self) -> None:
        assert ciphers.mask("vda_0123456789abcdef") == "vda…cdef"
        assert ciphers.mask("short") == "…"

    def test_the_same_secret_is_recognised(self) -> None:
        assert (
            make_key("A").fingerprint == make_key("B").fingerprint != make_key("C", secret="another-1234").fingerprint
        )

    def test_old_encryption_keys_still_read(self, settings: object) -> None:
        old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
        settings.VIDEOFORGE_ENCRYPTION_KEYS = [old]  # type: ignore[attr-defined]
        cipher = ciphers.encrypt("hello")
        settings.VIDEOFORGE_ENCRYPTION_KEYS = [new, old]  # type: ignore[attr-defined]
        assert ciphers.decrypt(cipher) == "hello"
        assert ciphers.encrypt("hello") != cipher

    def test_key_material_is_made_once_and_for_its_owner_only(self, tmp_path: Path) -> None:
        made = iter(["first", "second"])
        path = tmp_path / "secret"
        assert kept_secret(path, lambda: next(made)) == "first"
        assert kept_secret(path, lambda: next(made)) == "first"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert list(tmp_path.iterdir()) == [path]
        data = Path(django_settings.VIDEOFORGE_DATA)
        assert stat.S_IMODE((data / "encryption_keys").stat().st_mode) == 0o600


def test_the_first_migration_has_the_own_user_model() -> None:
    assert django_settings.AUTH_USER_MODEL == "generations.User"
    names = [path.name for path in Path("generations/migrations").glob("0*.py")]
    assert sorted(names)[0] == "0001_first_tables.py"
    assert Task._meta.pk is not None
    assert Task._meta.pk.get_internal_type() == "UUIDField"
