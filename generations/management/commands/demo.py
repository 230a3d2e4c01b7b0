import os
import secrets
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from generations import keys, lifecycle
from generations.checks import is_exposed
from generations.models import ProviderKey, User
from generations.providers import PROVIDERS
from generations.providers.base import Mode, Provider
from generations.providers.catalog import Switch
from generations.stock import stock_of
from videoforge.secrets import kept_secret

LABELS = {"vidu": "Sandbox studio"}  # the first one, which tests and habits know by this name
NAMESPACE = uuid.UUID("6f0d7a52-0d0c-4d2e-9a3e-7d5f3f1f0a11")

CLIPS: tuple[tuple[str, str, str, str, int, str], ...] = (
    # who, vendor, prompt, model, seconds, ratio
    ("mei", "vidu", "A lighthouse at dusk, slow push-in, waves far below", "viduq3-turbo", 5, "16:9"),
    ("demo", "vidu", "纸船漂过雨后的水洼，镜头缓缓推进", "viduq3-turbo", 4, "16:9"),
    ("tom", "vidu", "Portrait of a violinist on a rooftop, wind in her hair", "viduq3-pro", 5, "9:16"),
    ("demo", "vidu", "Macro of frost growing over a copper leaf", "viduq3-turbo", 3, "1:1"),
    ("mei", "vidu", "A tram glides through a snowy street, warm windows", "viduq2", 4, "4:3"),
    ("demo", "vidu", "[policy] A prompt that the vendor refuses", "viduq3-turbo", 5, "16:9"),
    ("tom", "dataeyes", "A kettle begins to steam in a dark kitchen", "viduq3-turbo", 5, "16:9"),
    ("mei", "vtrix", "Origami cranes lift off a table one by one", "viduq3-pro", 4, "16:9"),
)


class Command(BaseCommand):
    help = "Demo people, a sandbox key a vendor and a few clips. Safe to run twice; never on a house in real use."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sandbox-url", default="http://127.0.0.1:8900")

    def handle(self, *args: Any, **options: Any) -> None:
        if is_exposed():
            raise CommandError(
                "The demo has an administrator whose password stands on the screen: not in a house that others can"
                " reach. Start with `manage.py run --no-demo`, or leave HOST and VIDEOFORGE_PUBLIC_URL alone."
            )
        password = kept_secret(Path(settings.VIDEOFORGE_DATA) / "demo_password", _password)
        people = {name: _person(name, full, password) for name, full in PEOPLE.items()}
        try:
            held = {provider.slug: _key(provider, options["sandbox_url"]) for provider in PROVIDERS.values()}
        except ValueError as error:
            raise CommandError(str(error)) from None
        for place, (who, vendor, prompt, model, seconds, ratio) in enumerate(CLIPS):
            if vendor in held:
                _clip(place, people[who], held[vendor], prompt, model, seconds, ratio)
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
    staff, email = username == "demo", f"{username}@videoforge.example"
    person = User.objects.create_user(
        username, email, password, first_name=first, last_name=last, is_staff=staff, is_superuser=staff
    )
    EmailAddress.objects.create(user=person, email=email, verified=True, primary=True)
    return person


def secret_of(provider: Provider) -> str:
    """Obviously not a real key; the sandbox takes everything that starts like this. Each vendor has its own."""
    vendor = "" if provider.slug == "vidu" else f"{provider.slug}-"
    return f"sandbox-demo-{vendor}key-without-any-value"


def address_of(provider: Provider, sandbox_url: str) -> str:
    """The sandbox plays all vendors under one address, each below the path that is its own in the world."""
    return sandbox_url.rstrip("/") + urlsplit(provider.base_urls[0]).path.rstrip("/")


def _key(provider: Provider, sandbox_url: str) -> ProviderKey:
    """Known by label or secret, so that a change of either makes no second one; the sandbox may have moved since."""
    secret, address = secret_of(provider), address_of(provider, sandbox_url)
    label = LABELS.get(provider.slug, f"Sandbox {provider.name}")
    ours = ProviderKey.objects.filter(provider=provider.slug)
    key = ours.filter(label=label).first() or ProviderKey.with_secret(provider.slug, secret).first()
    if key is None:
        return keys.add(provider=provider.slug, label=label, secret=secret, base_url=address)
    if key.base_url != address:
        key.base_url = address
        key.save(update_fields=["base_url"])
    return key


def _clip(place: int, owner: User, key: ProviderKey, prompt: str, model: str, seconds: int, ratio: str) -> None:
    """Through the same door as everybody's clips; the fixed request id makes a second run do nothing.

    A model that an administrator hid, or that is made otherwise by now, is passed over.
    """
    offer = stock_of(key).get(model, Mode.TEXT)
    if offer is None or not offer.takes("720p", seconds):
        return
    lifecycle.create(
        owner=owner,
        key=key,
        request_id=uuid.uuid5(NAMESPACE, f"demo clip {place}"),
        offer=offer,
        prompt=prompt,
        duration=seconds,
        resolution="720p",
        aspect_ratio=ratio if ratio in offer.aspect_ratios else "",
        audio=None if offer.audio in (Switch.NO, Switch.UNSAID, Switch.ALWAYS) else False,
    )
