"""Plain functions that make rows for tests; every field can be overridden by keyword."""

import hashlib
import io
import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.core.files.base import ContentFile
from django.utils import timezone
from PIL import Image

from generations.models import (
    Asset,
    Attempt,
    AttemptState,
    Batch,
    Budget,
    Creation,
    Prompt,
    ProviderKey,
    Task,
    TaskState,
    User,
)

SECRET = "sandbox-not-a-real-key-0001"


def make_user(username: str, **over: Any) -> User:
    return User.objects.create_user(username, password="pass", **over)


def make_key(label: str = "Studio", secret: str = SECRET, **over: Any) -> ProviderKey:
    key = ProviderKey(**{"label": label, "provider": "vidu", "base_url": "http://127.0.0.1:9", **over})
    key.set_secret(secret)
    key.save()
    return key


def make_budget(key: ProviderKey | None = None, limit: int = 100, **over: Any) -> Budget:
    """A key's budget for the month, unless told otherwise."""
    unit = key.translator.unit if key else "credit"
    return Budget.objects.create(**{"key": key, "limit": Decimal(limit), "unit": unit, **over})


def make_task(owner: User, *, key: ProviderKey | None = None, remote_id: str = "", **over: Any) -> Task:
    """A task as it would be in ``state``: past submission it has an attempt with a remote id."""
    key = key or ProviderKey.objects.first() or make_key()
    text = over.pop("prompt_text", "A paper boat crosses a puddle")
    prompt, _ = Prompt.objects.get_or_create(author=owner, digest=Prompt.digest_of(text), defaults={"text": text})
    batch = over.pop("batch", None) or Batch.objects.create(owner=owner, request_id=uuid.uuid4(), size=1)
    fields: dict[str, Any] = {
        "owner": owner,
        "batch": batch,
        "position": 0,
        "key": key,
        "provider": key.provider,
        "prompt": prompt,
        "prompt_text": text,
        "mode": "text2video",
        "model": "viduq3-turbo",
        "wire_model": "viduq3-turbo",
        "duration": 5,
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "unit": "credit",
        "estimate": Decimal(55),
        "price_list": "test",
        **over,
    }
    task = Task.objects.create(**fields)
    if task.state != TaskState.WAITING:
        make_attempt(task, remote_id=remote_id)
    return task


def make_attempt(task: Task, *, remote_id: str = "", **over: Any) -> Attempt:
    unsent = task.state in (TaskState.SUBMITTING, TaskState.UNCERTAIN)
    fields: dict[str, Any] = {
        "task": task,
        "number": task.attempts.count() + 1,
        "key": task.key,
        "provider": task.provider,
        "base_url": task.key.base_url,
        "token": Attempt.make_token(),
        "state": AttemptState.SENT if unsent else AttemptState.ACCEPTED,
        "remote_id": "" if unsent else (remote_id or str(uuid.uuid4().int)[:18]),
        "sent_at": timezone.now(),
        **over,
    }
    attempt = Attempt.objects.create(**fields)
    task.attempt = attempt
    task.save(update_fields=["attempt"])
    return attempt


def make_creation(task: Task, *, content: bytes = b"not really a video", **over: Any) -> Creation:
    """A stored creation with a file of ``content`` and a small poster; pass state="pending" for one without."""
    fields: dict[str, Any] = {
        "task": task,
        "position": task.creations.count(),
        "source_url": "http://127.0.0.1:9/video.mp4",
        "deadline": timezone.now() + timedelta(hours=24),
        "state": "stored",
        "width": 1280,
        "height": 720,
        "seconds": 5.0,
        "fps": 24.0,
        "has_audio": False,
        "stored_at": timezone.now(),
        **over,
    }
    creation = Creation(**fields)
    if creation.state == "stored":
        creation.sha256 = hashlib.sha256(content).hexdigest()
        creation.size = len(content)
        creation.file.save(f"clips/{creation.pk}.mp4", ContentFile(content), save=False)
        creation.poster.save(f"posters/{creation.pk}.jpg", ContentFile(picture_bytes()), save=False)
    creation.save()
    return creation


def picture_bytes(width: int = 320, height: int = 180, *, colour: str = "#b5562b", fmt: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, fmt)
    return buffer.getvalue()


def make_asset(owner: User, *, width: int = 640, height: int = 360, colour: str = "#2b6cb5", **over: Any) -> Asset:
    content = picture_bytes(width, height, colour=colour)
    asset = Asset(
        **{
            "owner": owner,
            "content_type": "image/jpeg",
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            "width": width,
            "height": height,
            "name": "frame.jpg",
            **over,
        }
    )
    asset.file.save(f"assets/{asset.pk}.jpg", ContentFile(content), save=False)
    asset.save()
    return asset
