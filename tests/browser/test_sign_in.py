"""In real Chromium: every door of the house. A house of its own, under a name, with a provider beside it."""

import re
import time
from collections.abc import Iterator

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.browser.chromium import sign_in, violations
from tests.browser.conftest import Complaints
from tests.house import PASSWORD, House
from tests.oidc import ALICE, CLIENT, SECRET, Identity, provider

pytestmark = pytest.mark.browser
OWN = "settings/sign-in/"


@pytest.fixture(scope="module")
def identity() -> Iterator[Identity]:
    with provider() as beside:
        yield beside


@pytest.fixture(scope="module")
def house(identity: Identity) -> Iterator[House]:
    opened = House(speed=2)
    # A passkey belongs to a host name; 127.0.0.1 is none.
    opened.url = opened.url.replace("127.0.0.1", "localhost")
    opened.environment |= {
        "VIDEOFORGE_OIDC_URL": identity.issuer,
        "VIDEOFORGE_OIDC_CLIENT_ID": CLIENT,
        "VIDEOFORGE_OIDC_SECRET": SECRET,
        "VIDEOFORGE_OIDC_NAME": "House ID",
    }
    yield opened.start()
    opened.close()


def make_person(house: House, name: str, **over: str) -> None:
    fields = {"password": PASSWORD, "email": f"{name}@house.example", **over}
    done = house.manage(
        "shell", "-c", f"from generations.models import User;User.objects.create_user({name!r}, **{fields!r})"
    )
    assert done.returncode == 0, done.stderr


def confirm(page: Page) -> None:
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()


def sign_out(page: Page, house: House) -> None:
    page.goto(f"{house.url}/{OWN}")
    page.locator(".menu > summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def accessible(page: Page) -> None:
    found = violations(page)
    assert not found, [(each["id"], each["nodes"][0]["html"]) for each in found]


def forgive(complaints: Complaints, status: int) -> None:
    """Chromium notes each page that is a refusal; here it was meant to be one."""
    told = [each for each in complaints if f"status of {status}" in each]
    assert told
    complaints[:] = [each for each in complaints if each not in told]


@pytest.fixture
def authenticator(page: Page) -> CDPSession:
    """A key that has a person's finger on it."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session


def test_single_sign_on_as_far_as_the_admin(page: Page, house: House, identity: Identity) -> None:
    make_person(house, "alice", role="admin")
    page.goto(f"{house.url}/admin/generations/")
    expect(page).to_have_url(re.compile("/accounts/sign-in/"))
    accessible(page)
    page.get_by_role("link", name="Continue with House ID").click()
    page.get_by_role("link", name="Continue as Alice Ames").click()
    page.wait_for_url(f"{house.url}/admin/generations/")
    page.goto(f"{house.url}/{OWN}")
    expect(page.locator("main")).to_contain_text("Connected: you can sign in with it.")
    accessible(page)


def test_a_stranger_is_told_to_ask_for_an_invitation(
    page: Page, house: House, identity: Identity, complaints: Complaints
) -> None:
    identity.person = ALICE | {"sub": "idp-0009", "email": "stranger@elsewhere.example", "name": "S. Tranger"}
    page.goto(f"{house.url}/accounts/sign-in/")
    page.get_by_role("link", name="Continue with House ID").click()
    page.get_by_role("link", name="Continue as S. Tranger").click()
    expect(page.locator("main")).to_contain_text("Ask an administrator for an invitation")
    accessible(page)
    forgive(complaints, 403)
    page.goto(f"{house.url}/accounts/sign-in/")
    page.get_by_role("link", name="Continue with House ID").click()
    page.get_by_role("link", name="No").click()
    expect(page.get_by_role("heading", name="You stopped signing in")).to_be_visible()
    identity.person = dict(ALICE)


def test_an_invitation_from_the_admin_to_the_first_page(page: Page, house: House, complaints: Complaints) -> None:
    sign_in(page, house.url)
    page.goto(f"{house.url}/admin/generations/invitation/add/")
    page.fill("#id_name", "Ming Li")
    page.get_by_role("button", name="Save").click()
    address = page.get_by_label("Address of the invitation").input_value()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    page.goto(address)
    expect(page.get_by_role("heading", name="You are signed in already")).to_be_visible()
    page.get_by_role("button", name="Sign out and accept it").click()
    expect(page.locator("main")).to_contain_text("Dana Demo invites you")
    accessible(page)
    page.get_by_label("User name").fill("ming")
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_role("button", name="Join", exact=True).click()
    expect(page.locator("#id_password_error")).to_contain_text("too short")
    accessible(page)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Join", exact=True).click()
    page.wait_for_url(f"{house.url}/")
    expect(page.locator(".menu > summary")).to_have_text("ML")
    sign_out(page, house)
    page.goto(address)
    expect(page.get_by_role("heading", name="No invitation here")).to_be_visible()
    forgive(complaints, 404)


def test_a_passkey_instead_of_a_password(page: Page, house: House, authenticator: CDPSession) -> None:
    make_person(house, "petra")
    sign_in(page, house.url, "petra")
    page.goto(f"{house.url}/{OWN}")
    page.get_by_role("link", name="Add a passkey").click()
    expect(page.get_by_label("Password")).to_be_visible()
    accessible(page)
    confirm(page)
    expect(page.get_by_label("Name")).to_be_visible()
    accessible(page)
    page.get_by_label("Name").fill("Work laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    expect(page.locator("#codes li")).to_have_count(10)
    accessible(page)
    page.goto(f"{house.url}/{OWN}passkeys/")
    expect(page.locator(".entries")).to_contain_text("Work laptop")
    accessible(page)
    sign_out(page, house)

    page.goto(f"{house.url}/accounts/sign-in/?next=/library/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(f"{house.url}/library/")
    expect(page.locator(".menu-panel strong")).to_have_text("petra")
    sign_out(page, house)

    # The password alone is not enough any more; the passkey is the second step.
    page.fill("[name=username]", "petra")
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    page.get_by_role("button", name="Use a passkey instead").click()
    page.wait_for_url(f"{house.url}/")


def test_without_a_key_the_page_says_so_and_nothing_breaks(page: Page, house: House) -> None:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")  # and no authenticator: asking for one is refused
    page.goto(f"{house.url}/accounts/sign-in/")
    page.evaluate("() => { navigator.credentials.get = () => Promise.reject(new Error()); }")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator("[data-passkey] [role=alert]")).to_contain_text("Nothing has changed")
    page.goto(f"{house.url.replace('localhost', '127.0.0.1')}/accounts/sign-in/")
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()


def test_an_app_then_its_code_then_a_recovery_code_once(page: Page, house: House) -> None:
    make_person(house, "tony")
    sign_in(page, house.url, "tony")
    page.goto(f"{house.url}/{OWN}")
    page.get_by_role("link", name="Set up the app").click()
    confirm(page)
    expect(page.get_by_role("img", name=re.compile("QR code"))).to_be_visible()
    accessible(page)
    page.get_by_text("Enter it by hand instead").click()
    secret = page.locator("#totp-secret").inner_text()
    page.get_by_label("Code").fill(code_of(secret, -1))
    with page.expect_navigation():
        page.get_by_role("button", name="Turn on").click()
    if page.get_by_text("That did not match").count():
        page.get_by_label("Code").fill(code_of(secret))
        page.get_by_role("button", name="Turn on").click()
    expect(page.locator("#codes li")).to_have_count(10)
    codes = page.locator("#codes li").all_inner_texts()
    sign_out(page, house)

    second_step(page, house)
    accessible(page)
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("main")).to_contain_text("That did not match")
    wait_for_a_new_code()
    page.get_by_label("Code").fill(code_of(secret))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{house.url}/")
    sign_out(page, house)

    second_step(page, house)
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{house.url}/")
    page.goto(f"{house.url}/{OWN}")
    expect(page.locator("main")).to_contain_text("9 codes left")
    sign_out(page, house)

    second_step(page, house)
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("main")).to_contain_text("That did not match")


def second_step(page: Page, house: House) -> None:
    page.goto(f"{house.url}/accounts/sign-in/")
    page.fill("[name=username]", "tony")
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()


def code_of(secret: str, steps: int = 0) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps)))


def wait_for_a_new_code() -> None:
    """A code is good once, and the one of this half minute may have been used."""
    time.sleep(30 - time.time() % 30 + 0.2)


def test_the_wrong_password_five_times(page: Page, house: House) -> None:
    make_person(house, "carla")
    page.goto(f"{house.url}/accounts/sign-in/")
    for _try in range(5):
        page.fill("[name=username]", "carla")
        page.fill("[name=password]", "not that one")
        with page.expect_navigation():
            page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("is wrong")
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(re.compile(r"Try again in [45] minutes, at \d\d:\d\d"))
    accessible(page)
    sign_in(page, house.url, "mei")


def test_signing_out_everywhere_else(page: Page, house: House, chromium: Browser, complaints: Complaints) -> None:
    make_person(house, "nora")
    other = chromium.new_context().new_page()
    complaints.watch(other)
    sign_in(other, house.url, "nora")
    sign_in(page, house.url, "nora")
    page.goto(f"{house.url}/{OWN}devices/")
    expect(page.locator(".entries li")).to_have_count(2)
    accessible(page)
    page.get_by_role("button", name="Sign out everywhere else").click()
    expect(page.locator("main")).to_contain_text("You are signed in nowhere else")
    other.goto(f"{house.url}/library/")
    expect(other).to_have_url(re.compile("/accounts/sign-in/"))
    other.context.close()
