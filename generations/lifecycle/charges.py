"""A charge that becomes known, or changes, after its task has ended."""

from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from generations import ledger, totals
from generations.lifecycle.moves import note
from generations.models import EntrySource, Task, UsageEntry, User
from generations.providers.base import Money, Unit


def correct_charge(
    task: Task, amount: Decimal, why: str, *, source: EntrySource = EntrySource.VENDOR, actor: User | None = None
) -> UsageEntry | None:
    """Book that an ended task cost ``amount``, in its unit: settled now, or by the difference to what was booked.

    Returns the row; None when the books say so already, or while the task is open and will be settled by itself.
    """
    with transaction.atomic():
        before = Task.objects.select_for_update().filter(pk=task.pk, state__in=totals.ENDED).first()
        if before is None:
            return None
        if before.charge != amount:
            # Sums of tasks first, then those of the ledger, as everywhere: else two that meet lock each other out.
            Task.objects.filter(pk=task.pk).update(charge=amount, changed_at=timezone.now())
            task.charge = amount
            totals.count(before, Task.objects.get(pk=task.pk))
            said = "" if before.charge is None else f"{before.charge.normalize():f}"
            note(task, "charge-corrected", actor=actor, old=said, new=f"{amount.normalize():f}")
        return ledger.settle(before, Money(amount, Unit(before.unit)), why, source=source, actor=actor)
