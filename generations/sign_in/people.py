"""Whom of those that the identity provider vouches for the house lets in.

Somebody who came this way before is known by the provider's own number for them. Whoever comes for the first time is
let in as the person with that verified e-mail address, as the one who was invited, or, where the operator named the
address's domain, as a new member. Nobody else is.
"""

from contextlib import suppress
from typing import Any

from allauth.account.adapter import get_adapter as accounts
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import redirect, render

from generations import invitations, outgoing
from generations.models import Role, User
from generations.sign_in.guarded import GuardedAdapter
from generations.sign_in.sso import SSO, Provider

INVITED = "invited"  # in the session: the hash of the invitation whose page led here


class SsoPeople(DefaultSocialAccountAdapter):  # type: ignore[misc]
    def list_apps(self, request: HttpRequest, provider: Any = None, client_id: Any = None) -> list[SocialApp]:
        """The one of the environment; a table of them would be a door that somebody could add."""
        if not settings.VIDEOFORGE_OIDC_URL:
            return []
        app = SocialApp(provider="openid_connect", provider_id=SSO, name=str(settings.VIDEOFORGE_OIDC_NAME))
        app.client_id, app.secret = settings.VIDEOFORGE_OIDC_CLIENT_ID, settings.VIDEOFORGE_OIDC_SECRET
        app.settings = {"server_url": settings.VIDEOFORGE_OIDC_URL, "oauth_pkce_enabled": True}
        return [app]

    def get_provider(self, request: HttpRequest, provider: Any, client_id: Any = None) -> Any:
        found = super().get_provider(request, provider, client_id)
        found.oauth2_adapter_class = Provider
        return found

    def get_requests_session(self) -> Any:
        session = super().get_requests_session()
        session.max_redirects, session.trust_env = 3, False
        guarded = GuardedAdapter(outgoing.guard_of(settings.VIDEOFORGE_OIDC_URL))
        for scheme in ("http://", "https://"):
            session.mount(scheme, guarded)
        return session

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        if sociallogin.is_existing:
            return
        with transaction.atomic():
            person = _person(request, sociallogin)
            if person is not None and person.is_active and not _has_another(person):
                sociallogin.connect(request, person)
                return
        if person is not None and not person.is_active:
            raise ImmediateHttpResponse(redirect("account_inactive"))
        raise ImmediateHttpResponse(render(request, "socialaccount/stranger.html", status=403))


def _person(request: HttpRequest, sociallogin: SocialLogin) -> User | None:
    email = next((each.email for each in sociallogin.email_addresses if each.verified), "")
    if email and (known := with_address(email)):
        return known[0] if len(known) == 1 else None
    new = _new_person(sociallogin, email)
    if invitation := invitations.by_hash(request.session.pop(INVITED, "")):
        with suppress(invitations.Gone):
            return invitations.accept(invitation, new, is_own_address=bool(email))
    if email and _domain(email) in map(_domain, settings.VIDEOFORGE_OIDC_DOMAINS):
        new.role = Role.MEMBER
        new.save()
        EmailAddress.objects.create(user=new, email=email, verified=True, primary=True)
        return new
    return None


def with_address(email: str) -> list[User]:
    """Whose address this is. What an administrator wrote down counts, and what was checked; what somebody wrote about
    themselves does not, or they could wait with somebody else's address for that person to sign in."""
    claimed = EmailAddress.objects.filter(email__iexact=email, verified=False)
    known = User.objects.filter(email__iexact=email).exclude(pk__in=claimed.values("user"))
    return list(known[:2])


def _domain(address: str) -> str:
    """Written with or without the sign, as people do."""
    return address.rpartition("@")[2].strip().lower()


def _has_another(person: User) -> bool:
    """The address was given to somebody else since: an administrator has to say that this is the same person."""
    return bool(SocialAccount.objects.filter(user=person, provider=SSO).exists())


def _new_person(sociallogin: SocialLogin, email: str) -> User:
    told: dict[str, Any] = sociallogin.account.extra_data["userinfo"]
    person: User = sociallogin.user
    person.email = email
    wishes = [told.get("preferred_username", "").partition("@")[0], email.partition("@")[0], "person"]
    person.username = accounts().generate_unique_username([each for each in wishes if each])
    person.set_unusable_password()
    return person
