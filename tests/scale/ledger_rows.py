"""Two years of a busy house, for measuring reports: ``bench_reports`` fills a database of its own with it.

Twelve keys over five vendors, twenty-four people, twelve models. Nine of ten clips come from a person's usual two keys
and few models, the tenth from anywhere, as people are. Three rows a clip (held, settled, released), some refunds,
corrections and external use beside them. Only into an empty ledger: the rows can never be deleted again.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from generations.models import Batch, ProviderKey, Task, UsageEntry, User
from generations.providers import PROVIDERS
from generations.providers.base import MODES
from tests.scale.fill_totals import fill

KEYS, PEOPLE, MODELS, MONTHS = 12, 24, 12, 24
ROWS = 1_000_000
AT_ONCE = 2000
STATES = (("succeeded", 88), ("failed", 7), ("cancelled", 3), ("lost", 2))


@dataclass(frozen=True)
class House:
    """Who is there, and what each usually does."""

    people: list[User]
    keys: list[ProviderKey]
    models: dict[str, list[str]]  # of a vendor
    habits: dict[int, list[tuple[ProviderKey, str, str]]]


def make_house(chance: random.Random) -> House:
    people = [
        User(
            username=f"person{number:02}",
            first_name=f"P{number:02}",
            last_name="Example",
            email=f"p{number}@example.org",
        )
        for number in range(PEOPLE)
    ]
    User.objects.bulk_create(people)
    keys = []
    for number in range(KEYS):
        slug = list(PROVIDERS)[number % len(PROVIDERS)]
        key = ProviderKey(label=f"{PROVIDERS[slug].name} {number + 1}", provider=slug, base_url="http://127.0.0.1:9")
        key.set_secret(f"sandbox-not-a-real-key-{number:04}")
        key.save()
        keys.append(key)
    models = _models()
    habits = {}
    for person in people:
        usual = chance.sample(keys, 2)
        habits[person.pk] = [
            (key, chance.choice(models[key.provider]), str(chance.choice(MODES[:2]))) for key in usual for _ in range(2)
        ]
    return House(people, keys, models, habits)


def _models() -> dict[str, list[str]]:
    """Twelve models in all, each vendor some that it sells."""
    found: dict[str, list[str]] = {}
    room = MODELS
    for left, (slug, provider) in zip(range(len(PROVIDERS), 0, -1), PROVIDERS.items(), strict=True):
        sold = sorted({offer.model for offer in provider.offers})
        found[slug] = sold[: max(1, room // left)]
        room -= len(found[slug])
    return found


def uuid7_at(at: datetime, chance: random.Random) -> UUID:
    """Ids of tasks are in the order of time, as pages expect."""
    number = (int(at.timestamp() * 1000) << 80) | chance.getrandbits(80)
    number = number & ~(0xF << 76) | (7 << 76)
    return UUID(int=number & ~(0b11 << 62) | (0b10 << 62))


def make_task(house: House, batch: Batch, position: int, at: datetime, chance: random.Random) -> Task:
    person = chance.choice(house.people)
    key, model, mode = chance.choice(house.habits[person.pk])
    if chance.random() < 0.1:
        key = chance.choice(house.keys)
        model, mode = chance.choice(house.models[key.provider]), str(chance.choice(MODES))
    state = chance.choices([name for name, _ in STATES], [weight for _, weight in STATES])[0]
    seconds, unit = chance.choice((4, 5, 8, 10)), str(key.translator.unit)
    estimate = Decimal(seconds * chance.choice((8, 11, 20))) / (100 if unit in ("usd", "cny") else 1)
    charge: Decimal | None = estimate
    if state in ("failed", "cancelled"):
        charge = None if chance.random() < 0.1 else Decimal(0)
    elif chance.random() < 0.1:
        charge = estimate * Decimal("1.2")
    made = at + timedelta(seconds=chance.randint(40, 400))
    return Task(
        id=uuid7_at(at, chance), owner=person, batch=batch, position=position, key=key, provider=key.provider,
        mode=mode, model=model, wire_model=model, prompt_text="A paper boat crosses a puddle", duration=seconds,
        resolution="720p", state=state, unit=unit, estimate=estimate, estimate_unit=unit, price_list="bench",
        charge=charge, created_at=at, changed_at=made, made_at=made if state in ("succeeded", "lost") else None,
        finished_at=made,
    )  # fmt: skip


def rows_of(task: Task, chance: random.Random) -> Iterator[UsageEntry]:
    """As the ledger would have written them."""

    def row(kind: str, amount: Decimal, at: datetime, **fields: object) -> UsageEntry:
        return UsageEntry(**{
            "at": at, "kind": kind, "amount": amount, "unit": task.unit, "source": "vendor", "price_list": "bench",
            "key_id": task.key_id, "provider": task.provider, "person_id": task.owner_id, "task": task,
            "model": task.model, "mode": task.mode, "once": f"{kind}:{task.pk}", **fields,
        })  # fmt: skip

    assert task.estimate is not None
    assert task.finished_at is not None
    yield row("reserve", task.estimate, task.created_at, source="price list")
    if task.charge is None:
        return
    yield row("settle", task.charge, task.finished_at, reference=f"v{task.pk.hex[:20]}")
    yield row("release", -task.estimate, task.finished_at)
    if chance.random() < 0.01 and task.charge:
        yield row("refund", -task.charge, task.finished_at + timedelta(hours=2))
        task.charge = Decimal(0)
    elif chance.random() < 0.01:
        yield row(
            "external", Decimal(50), task.finished_at, person_id=None, task=None, mode="", once=f"external:{task.pk}"
        )


def make_rows(count: int, *, until: datetime | None = None, seed: int = 5) -> None:
    """Rows up to about ``count``, evenly over the months, and their sums."""
    chance = random.Random(seed)
    end = until or timezone.now()
    begin, clips = end - timedelta(days=MONTHS * 30.4), max(1, int(count / 2.97))
    step = (end - timedelta(minutes=10) - begin) / clips
    with transaction.atomic():
        house = make_house(chance)
        for first in range(0, clips, AT_ONCE):
            moments = [begin + step * number for number in range(first, min(first + AT_ONCE, clips))]
            _make_batch(house, moments, chance)
        fill()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _make_batch(house: House, moments: list[datetime], chance: random.Random) -> None:
    batch = Batch(owner=house.people[0], request_id=uuid7_at(moments[0], chance), size=1, created_at=moments[0])
    batch.id = uuid7_at(moments[0], chance)
    batch.save(force_insert=True)
    tasks = [make_task(house, batch, position, at, chance) for position, at in enumerate(moments)]
    entries = [entry for task in tasks for entry in rows_of(task, chance)]  # a refund changes its task's charge
    Task.objects.bulk_create(tasks, batch_size=500)
    waiting = iter(sorted(entries, key=lambda entry: entry.at))
    while some := list(islice(waiting, 500)):
        UsageEntry.objects.bulk_create(some)
