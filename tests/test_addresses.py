"""Which addresses a key may travel to, and who may add one."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from generations import addresses
from generations.models import User, VendorAddress
from generations.providers import PROVIDERS
from tests.factories import make_key
from tests.views.pages import signed_in

pytestmark = pytest.mark.django_db
ADD = "admin:generations_vendoraddress_add"
CHANGE = "admin:generations_vendoraddress_change"
DELETE = "admin:generations_vendoraddress_delete"
OWN = "https://elsewhere.example/vidu"


@pytest.fixture
def desk(admin: User) -> Client:
    return signed_in(admin)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_vendors_own_addresses_are_allowed(provider: str) -> None:
    for address in PROVIDERS[provider].base_urls:
        assert addresses.why_not_allowed(provider, address) == ""
        assert addresses.why_not_allowed(provider, address + "/") == ""


@pytest.mark.parametrize("address", ["http://127.0.0.1:8900", "http://localhost:1/path", "http://[::1]:8900"])
def test_a_stand_in_on_this_machine_is_allowed(address: str) -> None:
    assert addresses.why_not_allowed("vidu", address) == ""


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://elsewhere.example", "is no address of Vidu"),
        ("https://api.vidu.com.evil.example", "is no address of Vidu"),
        ("https://api.vidu.com/other", "is no address of Vidu"),
        ("https://api.vidu.com:8443", "is no address of Vidu"),
        ("https://cloud.vtrix.ai", "is no address of Vidu"),
        ("http://api.vidu.com", "https://"),
        ("http://127.0.0.1.evil.example", "https://"),
        ("https://user@api.vidu.com", "without a user name"),
        ("https://127.0.0.1@evil.example", "without a user name"),
        ("https://api.vidu.com?x=1", "without a user name"),
        ("https://api.vidu.com#x", "without a user name"),
        ("http://127.0.0.1:9/#", "without a user name"),
        ("http://@127.0.0.1:9", "without a user name"),
        ("http://127.0.0.1:0", "no address"),
        ("file://127.0.0.1/etc/passwd", "no address"),
        ("https://api.vidu.com:99999", "no address"),
        ("ftp://api.vidu.com", "no address"),
        ("", "no address"),
    ],
)
def test_everything_else_is_refused_with_a_sentence(address: str, said: str) -> None:
    assert said in addresses.why_not_allowed("vidu", address)


def test_an_added_address_is_for_its_vendor_alone() -> None:
    VendorAddress.objects.create(provider="vidu", base_url=OWN)
    assert addresses.why_not_allowed("vidu", OWN) == ""
    assert addresses.why_not_allowed("vtrix", OWN)


class TestTable:
    def test_an_address_is_stored_without_its_slash_and_with_who_added_it(self, desk: Client, admin: User) -> None:
        desk.post(reverse(ADD), {"provider": "vidu", "base_url": OWN + "/", "note": "a proxy"})
        row = VendorAddress.objects.get()
        assert (row.base_url, row.added_by, row.note) == (OWN, admin, "a proxy")

    @pytest.mark.parametrize(
        ("address", "said"),
        [
            ("http://elsewhere.example", "https://"),
            ("http://127.0.0.1:9", "https://"),
            ("https://user@elsewhere.example", "without a user name"),
            ("https://elsewhere.example/?to=x", "without a user name"),
            ("https://elsewhere.example/#x", "without a user name"),
            ("https://elsewhere.example/#", "without a user name"),
            ("https://169.254.169.254/", "No request may go there"),
            ("https://[::ffff:127.0.0.1]/", "No request may go there"),
            ("https://api.vidu.com/", "known already"),
            ("not an address", "valid URL"),
        ],
    )
    def test_what_no_key_should_travel_to_is_refused(self, desk: Client, address: str, said: str) -> None:
        answer = desk.post(reverse(ADD), {"provider": "vidu", "base_url": address, "note": ""})
        assert said in str(answer.context["adminform"].form.errors["base_url"])
        assert not VendorAddress.objects.exists()

    def test_it_stands_there_once(self, desk: Client) -> None:
        VendorAddress.objects.create(provider="vidu", base_url=OWN)
        answer = desk.post(reverse(ADD), {"provider": "vidu", "base_url": OWN + "/", "note": ""})
        assert answer.context["adminform"].form.errors

    def test_only_its_note_changes(self, desk: Client) -> None:
        row = VendorAddress.objects.create(provider="vidu", base_url=OWN)
        desk.post(reverse(CHANGE, args=[row.pk]), {"provider": "vtrix", "base_url": "https://x.example", "note": "hm"})
        row.refresh_from_db()
        assert (row.provider, row.base_url, row.note) == ("vidu", OWN, "hm")

    @pytest.mark.parametrize("state", ["active", "draining"])
    def test_one_in_use_stays_and_says_why(self, desk: Client, state: str) -> None:
        row = VendorAddress.objects.create(provider="vidu", base_url=OWN)
        make_key("Studio", base_url=OWN, state=state)
        answer = desk.post(reverse(DELETE, args=[row.pk]), {"post": "yes"})
        assert "The key “Studio” is sent to this address" in answer.content.decode()
        assert VendorAddress.objects.exists()

    def test_one_that_no_key_uses_goes(self, desk: Client) -> None:
        row = VendorAddress.objects.create(provider="vidu", base_url=OWN)
        make_key("Away", base_url=OWN, state="disabled")
        make_key("Other vendor", base_url=OWN, provider="vtrix")
        desk.post(reverse(DELETE, args=[row.pk]), {"post": "yes"})
        assert not VendorAddress.objects.exists()

    def test_nobody_but_a_superuser_says_where_keys_may_go(self, client: Client) -> None:
        person = User.objects.create_user("staff", role="auditor")
        person.user_permissions.set(Permission.objects.filter(content_type__model="vendoraddress"))
        client.force_login(person)
        row = VendorAddress.objects.create(provider="vidu", base_url=OWN)
        assert client.get(reverse(CHANGE, args=[row.pk])).status_code == 200
        assert client.get(reverse(ADD)).status_code == 403
        assert client.post(reverse(CHANGE, args=[row.pk]), {"note": "mine"}).status_code == 403
        assert client.post(reverse(DELETE, args=[row.pk]), {"post": "yes"}).status_code == 403
        assert VendorAddress.objects.get().note == ""
