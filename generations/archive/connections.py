"""HTTP for large files, with the standard library: bytes come as the socket has them, at a third of the work.

Redirects are followed, to HTTP only. Proxies are those of the environment.
"""

import http.client
import ssl
import urllib.request
from functools import cache
from http.client import HTTPResponse
from urllib.error import HTTPError
from urllib.parse import quote

import httpx

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
AS_THEY_ARE = "%/:=&?~#+!$,;'@()*[]"  # a signed address must arrive as it was given

Answer = HTTPResponse | HTTPError  # both have status, headers and bytes


class _Plain(http.client.HTTPConnection):
    def connect(self) -> None:
        self.timeout = CONNECT_SECONDS
        super().connect()
        self.sock.settimeout(READ_SECONDS)


class _Secure(http.client.HTTPSConnection):
    def connect(self) -> None:
        self.timeout = CONNECT_SECONDS
        super().connect()
        self.sock.settimeout(READ_SECONDS)


class _HTTP(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_Plain, req)


class _HTTPS(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_Secure, req, context=_trust())


@cache
def _trust() -> ssl.SSLContext:
    """The same authorities as for all other requests; read once, which takes longer than a small copy."""
    return httpx.create_ssl_context()


@cache
def _opener() -> urllib.request.OpenerDirector:
    """By hand: the usual one would follow a redirect to FTP too."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        _HTTP,
        _HTTPS,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    opener.addheaders = []
    return opener


def get(url: str, headers: dict[str, str]) -> Answer:
    """The answer, whatever its status, with its body still to be read. Raises OSError, HTTPException, ValueError."""
    request = urllib.request.Request(  # noqa: S310  # the opener knows http and https only
        quote(url, safe=AS_THEY_ARE), headers={"User-Agent": "VideoForge", **headers}
    )
    try:
        answer: HTTPResponse = _opener().open(request, timeout=READ_SECONDS)
    except HTTPError as error:
        return error
    return answer
