"""A small real provider of OpenID Connect on loopback, as strict as the documents ask, that can be told to lie.

[docs] OpenID Connect Core 1.0 and Discovery 1.0, RFC 6749 and 7636: code flow with PKCE, RS256, one client.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.servers import serving

CLIENT, SECRET = "videoforge", "a-secret-between-two-servers"
ALICE = {"sub": "idp-0001", "email": "Alice@house.example", "email_verified": True, "name": "Alice Ames"}
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Identity:
    """What is asked of it, whom it knows, and what it was told to say wrongly."""

    person: dict[str, Any] = field(default_factory=lambda: dict(ALICE))
    issuer: str = ""
    lies: dict[str, Any] = field(default_factory=dict)  # over the claims of the ID token
    told: dict[str, Any] | None = None  # by the second question, about the person; None: the same
    described: dict[str, Any] = field(default_factory=dict)  # over its description of itself
    signs_with: Any = KEY
    algorithm: str = "RS256"
    sleeps: float = 0
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: BaseHTTPRequestHandler) -> None:
        where = urlsplit(request.path)
        self.asked.append(where.path)
        length = int(request.headers.get("Content-Length") or 0)
        given = {name: values[0] for name, values in parse_qs(where.query).items()}
        posted = {name: values[0] for name, values in parse_qs(request.rfile.read(length).decode()).items()}
        if where.path != "/authorize":
            time.sleep(self.sleeps)
        pages = {
            "/.well-known/openid-configuration": lambda: self.configuration(),
            "/jwks": lambda: self.keys(),
            "/token": lambda: self.token(posted),
            "/userinfo": lambda: self.userinfo(request.headers.get("Authorization", "")),
        }
        if where.path == "/authorize":
            return self.page(request, given)
        found = pages.get(where.path, lambda: None)()
        return _answer(request, 200 if found is not None else 400, json.dumps(found or {"error": "invalid"}))

    def configuration(self) -> dict[str, Any]:
        here = self.issuer
        return {
            "issuer": here, "authorization_endpoint": f"{here}/authorize", "token_endpoint": f"{here}/token",
            "userinfo_endpoint": f"{here}/userinfo", "jwks_uri": f"{here}/jwks", "response_types_supported": ["code"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"], **self.described,
        }  # fmt: skip

    def keys(self) -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": "one", "use": "sig", "alg": "RS256"}]}

    def page(self, request: BaseHTTPRequestHandler, given: dict[str, str]) -> None:
        """Where a person says who they are: a link that goes on, and one that gives up."""
        on, off = (
            self.approve(given),
            given["redirect_uri"] + "?" + urlencode({"error": "access_denied", "state": given["state"]}),
        )
        name = escape(self.person.get("name", self.person["sub"]))
        html = f'''<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Provider</title>
            <main><h1>Provider</h1>
            <p><a href="{escape(on)}">Continue as {name}</a></p><p><a href="{escape(off)}">No</a></p></main></html>'''
        _answer(request, 200, html, "text/html")

    def approve(self, asked: str | dict[str, str]) -> str:
        """The address that it leads back to, for the address that one was sent to it with."""
        if isinstance(asked, str):
            asked = {name: values[0] for name, values in parse_qs(urlsplit(asked).query).items()}
        assert (asked["client_id"], asked["response_type"]) == (CLIENT, "code")
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return asked["redirect_uri"] + "?" + urlencode({"code": code, "state": asked["state"]})

    def token(self, posted: dict[str, str]) -> dict[str, Any] | None:
        asked = self.codes.pop(posted.get("code", ""), None)  # once
        if asked is None or (posted.get("client_id"), posted.get("client_secret")) != (CLIENT, SECRET):
            return None
        digest = hashlib.sha256(posted.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (challenge, posted.get("redirect_uri")) != (asked["code_challenge"], asked["redirect_uri"]):
            return None
        access = secrets.token_urlsafe(16)
        self.tokens.add(access)
        return {"access_token": access, "token_type": "Bearer", "expires_in": 60, "id_token": self.id_token(asked)}

    def id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": asked.get("nonce"), **self.person,
            **self.lies,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.signs_with, algorithm=self.algorithm, headers={"kid": "one"})

    def userinfo(self, authorization: str) -> dict[str, Any] | None:
        if authorization.removeprefix("Bearer ") not in self.tokens:
            return None
        return self.person if self.told is None else self.told


def _answer(request: BaseHTTPRequestHandler, status: int, body: str, kind: str = "application/json") -> None:
    content = body.encode()
    request.send_response(status)
    request.send_header("Content-Type", f"{kind}; charset=utf-8")
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)


@contextmanager
def provider(**told: Any) -> Iterator[Identity]:
    identity = Identity(**told)
    with serving(identity) as address:
        identity.issuer = address
        yield identity
