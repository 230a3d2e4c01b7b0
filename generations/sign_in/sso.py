"""Talks to the one provider of OpenID Connect that the operator named.

allauth carries the flow; here stands what it leaves open: the ID token's signature is checked although it came
directly, by the provider's own keys and with their own kind of signature; issuer, audience, time and nonce must fit;
what the provider tells about a person must be about the same person.

The issuer is named in the operator's environment and may be a machine inside the house; what it describes and where it
leads must be public, allowed, or that machine (``guarded``). Requests take five seconds at most between two bytes and
follow three redirects; no proxy of the environment is used.
"""

import secrets
from typing import Any

import jwt
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from requests import RequestException

from generations import addresses

SSO = "sso"  # as the provider is called in our addresses and rows
NONCES = "sso_nonces"  # in the session, of the last few visits to the provider
SIGNATURES = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
NEEDED = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
KEPT = ("sub", "email", "email_verified", "name", "given_name", "family_name", "preferred_username")
DISCOVERED_FOR = 600


def new_nonce(request: HttpRequest) -> str:
    nonce = secrets.token_urlsafe(24)
    request.session[NONCES] = [*request.session.get(NONCES, []), nonce][-5:]
    return nonce


def _use_nonce(request: HttpRequest, nonce: str) -> None:
    known = request.session.get(NONCES, [])
    if nonce not in known:
        raise OAuth2Error("The ID token was not made for this visit.")
    request.session[NONCES] = [each for each in known if each != nonce]


class Provider(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    def __init__(self, request: HttpRequest, provider_id: str = SSO) -> None:
        super().__init__(request, provider_id)

    @property
    def openid_config(self) -> dict[str, Any]:
        """Its description of itself, kept for ten minutes: everybody's visit would fetch it twice."""
        issuer = settings.VIDEOFORGE_OIDC_URL
        found = cache.get(f"oidc-{issuer}")
        if found is None:
            found = self._fetch(f"{issuer}/.well-known/openid-configuration")
            if any(not isinstance(found.get(name), str) for name in NEEDED):
                raise OAuth2Error("The provider does not describe itself as one of OpenID Connect.")
            if found["issuer"].rstrip("/") != issuer:
                raise OAuth2Error("The provider calls itself by another name than we do.")
            cache.set(f"oidc-{issuer}", found, DISCOVERED_FOR)
        return dict(found)

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return addresses.own(super().get_callback_url(request, app))

    def complete_login(self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any) -> SocialLogin:
        claims = self._claims(app, kwargs["response"].get("id_token") or "")
        _use_nonce(request, str(claims.get("nonce")))
        told = self._told(token)
        if told.get("sub", claims["sub"]) != claims["sub"]:
            raise OAuth2Error("The provider tells about somebody else.")
        person = claims | told
        # Whether an address was checked is said beside that very address; some providers say it as a word.
        beside = told if "email" in told else claims
        person["email_verified"] = beside.get("email_verified") in (True, "true")
        kept = {name: person[name] for name in KEPT if person.get(name) is not None}
        return self.get_provider().sociallogin_from_response(request, {"userinfo": kept})

    def _claims(self, app: SocialApp, id_token: str) -> dict[str, Any]:
        try:
            key = self._key(jwt.get_unverified_header(id_token).get("kid"))
            return dict(
                jwt.decode(
                    id_token,
                    key=key,
                    algorithms=[key.algorithm_name],
                    audience=app.client_id,
                    issuer=self.openid_config["issuer"],
                    leeway=60,
                    options={"require": ["exp", "iat", "iss", "aud", "sub"]},
                )
            )
        except jwt.PyJWTError as error:
            raise OAuth2Error(f"ID token: {type(error).__name__}") from None

    def _key(self, kid: str | None) -> jwt.PyJWK:
        """By its name; without one, the only one there is. What is no public key makes no signature."""
        known = jwt.PyJWKSet.from_dict(self._fetch(self.openid_config["jwks_uri"])).keys
        fitting = [key for key in known if key.algorithm_name in SIGNATURES and kid in (None, key.key_id)]
        if len(fitting) != 1:
            raise OAuth2Error("The ID token was signed with a key that the provider does not have.")
        return fitting[0]

    def _told(self, token: SocialToken) -> dict[str, Any]:
        """Many providers tell the e-mail address only here."""
        address = self.openid_config.get("userinfo_endpoint")
        return self._fetch(address, {"Authorization": f"Bearer {token.token}"}) if address else {}

    def _fetch(self, address: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            with get_adapter().get_requests_session() as session:
                answer = session.get(address, headers=headers)
                answer.raise_for_status()
                found = answer.json()
        except RequestException as error:
            raise OAuth2Error(f"The provider cannot be asked: {type(error).__name__}") from None
        if not isinstance(found, dict):
            raise OAuth2Error("The provider's answer cannot be read.")
        return found
