"""A support case: all that a vendor needs to look into one task, and nothing that would let it in anywhere.

No person is named in it, no link is complete, and of the key there are its label and what cannot be turned back.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from generations import evidence, redactor
from generations.models import Attempt, Creation, Prompt, ProviderKey, Task, TaskEvent, UsageEntry, VendorRequest
from generations.providers import PROVIDERS

FINGERPRINT = 12  # characters; enough to tell keys apart


def case_of(task: Task, *, prompt_text: bool = True) -> dict[str, Any]:
    """The case as plain values, ready for JSON. Times are UTC; amounts are text, each with its unit."""
    attempts = list(task.attempts.select_related("key").prefetch_related("requests", "callbacks"))
    keys = {key.pk: key for key in (task.key, *(attempt.key for attempt in attempts))}
    secrets = [secret for key in keys.values() for secret in evidence.secrets_of(key)]
    case = {
        "made_at": timezone.now(),
        "task": _task(task),
        "settings": _settings(task),
        "keys": [_key(key) for key in keys.values()],
        "times": {name: getattr(task, name) for name in _TIMES},
        "money": _money(task),
        "attempts": [_attempt(attempt) for attempt in attempts],
        "timeline": [_event(event) for event in task.events.all()],
        "creations": [_creation(creation) for creation in task.creations.all()],
    }
    # What people wrote is theirs: it loses known secrets, not every long word.
    said = {"sha256": Prompt.digest_of(task.prompt_text), "characters": len(task.prompt_text)}
    text = {"text": redactor.without(task.prompt_text, secrets)} if prompt_text else {}
    cleaned: dict[str, Any] = _clean(case, secrets)
    return {**cleaned, "prompt": said | text}


_TIMES = ("created_at", "submitted_at", "started_at", "made_at", "finished_at", "last_polled_at")


def _task(task: Task) -> dict[str, Any]:
    return {
        "id": str(task.pk),
        "vendor": PROVIDERS[task.provider].name if task.provider in PROVIDERS else task.provider,
        "remote_id": task.attempt.remote_id if task.attempt else "",
        "state": task.state,
        "failure_class": task.failure_class,
        "failure_code": task.failure_code,
        "failure_text": task.failure_text,
        "anomaly": task.anomaly,
    }


def _settings(task: Task) -> dict[str, Any]:
    plain = ("mode", "model", "wire_model", "duration", "resolution", "aspect_ratio", "seed", "audio", "off_peak")
    pictures = [each.asset for each in task.task_inputs.select_related("asset")]
    of_picture = ("sha256", "size", "content_type", "width", "height")
    return {
        **{name: getattr(task, name) for name in plain},
        "options": task.options,
        "pictures": [{name: getattr(picture, name) for name in of_picture} for picture in pictures],
        "source_id": task.source.remote_id if task.source else "",
    }


def _key(key: ProviderKey) -> dict[str, Any]:
    fingerprint = key.fingerprint[:FINGERPRINT]
    return {"label": key.label, "secret": key.masked, "fingerprint": fingerprint, "address": key.base_url}


def _money(task: Task) -> dict[str, Any]:
    return {
        "estimate": _amount(task.estimate, task.estimate_unit or task.unit),
        "price_list": task.price_list,
        "quote": _amount(task.quote, task.unit),
        "charge": _amount(task.charge, task.unit),
        "ledger": [_entry(entry) for entry in task.usage.order_by("pk")],
    }


def _entry(entry: UsageEntry) -> dict[str, Any]:
    said = {"at": entry.at, "kind": entry.kind, "source": entry.source, "note": entry.note}
    return {**said, **_amount(entry.amount, entry.unit)}


def _amount(amount: Decimal | None, unit: str) -> dict[str, Any]:
    return {"amount": None if amount is None else f"{amount.normalize():f}", "unit": unit}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    plain = ("number", "state", "token", "remote_id", "body_digest", "failure_code")
    times = ("claimed_at", "sent_at", "answered_at", "missed_at")
    called = attempt.callbacks.all()
    return {
        **{name: getattr(attempt, name) for name in (*plain, *times)},
        "key": attempt.key.label,
        "address": attempt.base_url,
        "calls_back": bool(attempt.callback_digest),
        "requests": [_request(request) for request in attempt.requests.all()],
        "callbacks": [
            {"received_at": each.received_at, "nonce": each.nonce, "state": each.state_word} for each in called
        ],
    }


def _request(request: VendorRequest) -> dict[str, Any]:
    plain = ("kind", "said", "status", "times", "first_at", "last_at", "duration_ms", "body_digest", "excerpt")
    return {name: getattr(request, name) for name in plain}


def _event(event: TaskEvent) -> dict[str, Any]:
    return {"at": event.at, "kind": event.kind, "by_a_person": event.actor_id is not None, "detail": event.detail}


def _creation(creation: Creation) -> dict[str, Any]:
    plain = ("position", "watermarked", "remote_id", "state", "source_url", "deadline", "stored_at", "last_error")
    ours = ("sha256", "size", "width", "height", "seconds", "fps", "has_audio", "poster_sha256")
    return {name: getattr(creation, name) for name in (*plain, *ours)}


def _clean(value: Any, secrets: Iterable[str]) -> Any:
    """Everything as JSON has it, and every text without secrets."""
    if isinstance(value, Mapping):
        return {redactor.redact(str(name), secrets): _clean(each, secrets) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(each, secrets) for each in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, str):
        return redactor.redact(value, secrets)
    return value if value is None or isinstance(value, bool | int | float) else redactor.redact(str(value), secrets)
