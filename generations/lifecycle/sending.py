"""From waiting to the vendor: the claim, and the mark before the one POST."""

from django.db import transaction
from django.utils import timezone

from generations.lifecycle.moves import S, move
from generations.models import Attempt, AttemptState, Task
from generations.queue import enqueue


def claim(task: Task) -> Attempt | None:
    """Take a waiting task for sending: write down the intent before anything leaves the house."""
    with transaction.atomic():
        attempt = Attempt(
            task=task,
            number=task.attempts.count() + 1,
            key_id=task.key_id,
            provider=task.provider,
            base_url=task.key.base_url,
            token=Attempt.make_token(),
        )
        if not move(
            task,
            S.SUBMITTING,
            next_try_at=None,
            failure_class="",
            failure_code="",
            failure_text="",
            detail={"attempt": attempt.number},
        ):
            return None
        attempt.save()
        Task.objects.filter(pk=task.pk).update(attempt=attempt)
        task.attempt = attempt
        enqueue("submit", attempt.pk)
        return attempt


def mark_sent(attempt: Attempt, body_digest: str, callback_digest: str = "") -> bool:
    """The last write before the POST. True exactly once for an attempt: only the caller that got it may send."""
    now = timezone.now()
    with transaction.atomic():
        claimed = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.CLAIMED, task__state=S.SUBMITTING)
        sent = {"sent_at": now, "body_digest": body_digest, "callback_digest": callback_digest}
        if not claimed.update(state=AttemptState.SENT, **sent):
            return False
    attempt.sent_at = now
    return True
