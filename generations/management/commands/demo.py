import os
import secrets
import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from generations import keys, lifecycle
from generations.models import ProviderKey, User
from generations.providers import catalog
from generations.providers.base import Mode
from videoforge.secrets import kept_secret

LABEL = "Sandbox studio"
# Obviously not a real key; the sandbox takes everything that starts like this.
SECRET = "sandbox-demo-key-without-any-value"  # noqa: S105
NAMESPACE = uuid.UUID("6f0d7a52-0d0c-4d2e-9a3e-7d5f3f1f0a11")

CLIPS: tuple[tuple[str, str, str, int, str], ...] = (
    # who, prompt, model, seconds, ratio
    ("mei", "A lighthouse at dusk, slow push-in, waves far below", "viduq3-turbo", 5, "16:9"),
    ("demo", "纸船漂过雨后的水洼，镜头缓缓推进", "viduq3-turbo", 4, "16:9"),
    ("tom", "Portrait of a violinist on a rooftop, wind in her hair", "viduq3-pro", 5, "9:16"),
    ("demo", "Macro of frost growing over a copper leaf", "viduq3-turbo", 3, "1:1"),
    ("mei", "A tram glides through a snowy street, warm windows", "viduq2", 4, "4:3"),
    ("demo", "[policy] A prompt that the vendor refuses", "viduq3-turbo", 5, "16:9"),
)


class Command(BaseCommand):
    help = "Demo people, a sandbox key and a few clips. Safe to run twice; never on a house that is in real use."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sandbox-url", default="http://127.0.0.1:8900")

    def handle(self, *args: Any, **options: Any) -> None:
        password = kept_secret(Path(settings.VIDEOFORGE_DATA) / "demo_password", _password)
        people = {name: _person(name, full, password) for name, full in PEOPLE.items()}
        key = _key(options["sandbox_url"])
        for place, (who, prompt, model, seconds, ratio) in enumerate(CLIPS):
            _clip(place, people[who], key, prompt, model, seconds, ratio)
        self.stdout.write(f"Sign in as demo with the password {password}")


def _password() -> str:
    return os.environ.get("VIDEOFORGE_DEMO_PASSWORD") or secrets.token_urlsafe(9)


PEOPLE = {"demo": "Dana Demo", "mei": "Mei Lin", "tom": "Tom Ahrens"}


def _person(username: str, full_name: str, password: str) -> User:
    """An existing person is left alone, password included."""
    found = User.objects.filter(username=username).first()
    if found:
        return found
    first, last = full_name.split()
    staff = username == "demo"
    return User.objects.create_user(
        username, password=password, first_name=first, last_name=last, is_staff=staff, is_superuser=staff
    )


def _key(sandbox_url: str) -> ProviderKey:
    """The sandbox may have moved to another port since the last time."""
    key = ProviderKey.objects.filter(label=LABEL).first()
    if key is None:
        return keys.add(provider="vidu", label=LABEL, secret=SECRET, base_url=sandbox_url)
    if key.base_url != sandbox_url:
        key.base_url = sandbox_url
        key.save(update_fields=["base_url"])
    return key


def _clip(place: int, owner: User, key: ProviderKey, prompt: str, model: str, seconds: int, ratio: str) -> None:
    """Through the same door as everybody's clips; the fixed request id makes a second run do nothing."""
    offer = catalog.get_offer("vidu", model, Mode.TEXT)
    if offer is None:
        raise CommandError(f"The catalogue no longer has {model}.")
    lifecycle.create(
        owner=owner,
        key=key,
        request_id=uuid.uuid5(NAMESPACE, f"demo clip {place}"),
        offer=offer,
        prompt=prompt,
        duration=seconds,
        resolution="720p",
        aspect_ratio=ratio,
        audio=False if offer.audio != catalog.Switch.NO else None,
    )
