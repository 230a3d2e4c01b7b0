"""The demo: a sandbox key for every vendor and a few clips, however often it runs and wherever the sandbox is."""

from io import StringIO
from urllib.parse import urlsplit

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command

from generations import addresses
from generations.management.commands import demo
from generations.models import CatalogueEntry, ProviderKey, Task
from generations.providers import PROVIDERS

pytestmark = pytest.mark.django_db
SANDBOX = "http://127.0.0.1:8900"


def run(url: str = SANDBOX) -> str:
    said = StringIO()
    call_command("demo", sandbox_url=url, stdout=said)
    return said.getvalue()


def test_every_vendor_gets_a_key_at_the_sandbox() -> None:
    run()
    assert ProviderKey.objects.count() == len(PROVIDERS)
    for slug, provider in PROVIDERS.items():
        key = ProviderKey.objects.get(provider=slug)
        assert key.label == ("Sandbox studio" if slug == "vidu" else f"Sandbox {provider.name}")
        assert key.base_url == SANDBOX + urlsplit(provider.base_urls[0]).path
        assert addresses.why_not_allowed(slug, key.base_url) == ""


def test_the_secrets_are_obviously_none() -> None:
    run()
    secrets = {key.account().secret for key in ProviderKey.objects.all()}
    assert len(secrets) == len(PROVIDERS)
    assert "sandbox-demo-key-without-any-value" in secrets
    assert all(secret.startswith("sandbox-") for secret in secrets)


def test_it_tells_the_password_and_no_secret() -> None:
    said = run()
    assert "Sign in as demo" in said
    assert "sandbox-" not in said


def test_its_people_can_come_in_by_their_address() -> None:
    run()
    found = EmailAddress.objects.filter(verified=True, primary=True).values_list("user__username", "email")
    assert set(found) == {(name, f"{name}@videoforge.example") for name in demo.PEOPLE}


def test_a_second_run_follows_the_sandbox_and_does_nothing_else() -> None:
    run()
    clips = set(Task.objects.values_list("pk", flat=True))
    ProviderKey.objects.filter(provider="vtrix").update(label="Renamed")
    ProviderKey.objects.get(provider="uniall")
    key = ProviderKey.objects.get(provider="uniall")
    key.set_secret("sandbox-somebody-changed-it")
    key.save()
    run("http://127.0.0.1:9900/")
    assert ProviderKey.objects.count() == len(PROVIDERS)
    assert set(Task.objects.values_list("pk", flat=True)) == clips
    for each in ProviderKey.objects.all():
        assert each.base_url == "http://127.0.0.1:9900" + urlsplit(PROVIDERS[each.provider].base_urls[0]).path


def test_a_few_clips_and_some_of_them_elsewhere() -> None:
    run()
    assert Task.objects.count() == len(demo.CLIPS) < 12
    assert Task.objects.filter(provider="vidu").count() == 6
    assert Task.objects.exclude(provider="vidu").count() == 2
    assert set(Task.objects.values_list("mode", flat=True)) == {"text2video"}


def test_what_is_not_sold_is_passed_over() -> None:
    CatalogueEntry.objects.create(provider="vtrix", mode="text2video", model="viduq3-pro", action="hide")
    run()
    assert not Task.objects.filter(provider="vtrix").exists()


def test_a_sandbox_elsewhere_is_refused_with_the_reason() -> None:
    with pytest.raises(CommandError, match="is no address of"):
        run("https://elsewhere.example")
