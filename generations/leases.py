"""A thing that only one process may do at a time: seized, kept and given back by conditional updates."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from generations.models import Lease


def seize(key: str, owner: str, seconds: float) -> bool:
    """Take the lease if nobody holds it; True when it is ours now."""
    now = timezone.now()
    fields = {"owner": owner, "until": now + timedelta(seconds=seconds), "beat_at": now}
    with transaction.atomic():
        if Lease.objects.filter(key=key, until__lt=now).update(**fields, fence=F("fence") + 1):
            return True
        _, fresh = Lease.objects.get_or_create(key=key, defaults={**fields, "fence": 1})
        return fresh


def keep(key: str, owner: str, seconds: float) -> bool:
    """Prolong a lease that is still ours; False means that it is lost and the holder must stop at once."""
    now = timezone.now()
    held = Lease.objects.filter(key=key, owner=owner, until__gt=now)
    return bool(held.update(until=now + timedelta(seconds=seconds), beat_at=now))


def beat(key: str) -> None:
    """Leave a sign of life that is no lease."""
    Lease.objects.update_or_create(key=key, defaults={"beat_at": timezone.now()})


def forget(prefix: str) -> None:
    """Take back signs of life; a lease that somebody holds stays."""
    Lease.objects.filter(key__startswith=prefix, owner="").delete()


def last_beat(key: str) -> datetime | None:
    """The last sign of life of any holder."""
    return Lease.objects.filter(key=key).values_list("beat_at", flat=True).first()


def give_back(key: str, owner: str) -> None:
    Lease.objects.filter(key=key, owner=owner).update(until=timezone.now())
