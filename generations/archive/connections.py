"""HTTP for large files, with the standard library: bytes come as the socket has them, at a third of the work.

Redirects are followed, to HTTP only. Proxies are those of the environment. An answer has begun within ANSWER_SECONDS
or is given up, whatever hangs or trickles: the name server, the handshake, a redirect, the lines of its head.
"""

import contextlib
import http.client
import socket
import ssl
import threading
import urllib.request
from concurrent.futures import Future
from contextvars import ContextVar
from functools import cache
from http.client import HTTPResponse
from urllib.error import HTTPError
from urllib.parse import quote

import httpx

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0  # without a byte
ANSWER_SECONDS = 35.0  # for the name, the connection, the request and the head of the answer together
AS_THEY_ARE = "%/:=&?~#+!$,;'@()*[]"  # a signed address must arrive as it was given

Answer = HTTPResponse | HTTPError  # both have status, headers and bytes


class _Plain(http.client.HTTPConnection):
    def connect(self) -> None:
        self.timeout = CONNECT_SECONDS
        super().connect()
        _connected(self.sock)


class _Secure(http.client.HTTPSConnection):
    def connect(self) -> None:
        self.timeout = CONNECT_SECONDS
        super().connect()
        _connected(self.sock)


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


class _Opening:
    """A request until its answer begins, on a thread of its own: looking for a name cannot be interrupted."""

    def __init__(self, request: urllib.request.Request) -> None:
        self.request = request
        self.answer: Future[Answer] = Future()
        self.sockets: list[socket.socket] = []

    def wait(self) -> Answer:
        threading.Thread(target=self._run, name="archive-opening", daemon=True).start()
        try:
            return self.answer.result(ANSWER_SECONDS)
        except TimeoutError:
            if not self.answer.cancel():  # there is an outcome, perhaps this very error
                return self.answer.result()
            for each in self.sockets:
                _hang_up(each)
            raise

    def took(self, connection: socket.socket) -> None:
        self.sockets.append(connection)
        if self.answer.cancelled():
            _hang_up(connection)

    def _run(self) -> None:
        _OPENING.set(self)
        try:
            answer = self._open()
        except Exception as error:  # noqa: BLE001  # raised again where it is waited for
            if self.answer.set_running_or_notify_cancel():
                self.answer.set_exception(error)
            return
        if self.answer.set_running_or_notify_cancel():
            self.answer.set_result(answer)
        else:
            answer.close()

    def _open(self) -> Answer:
        try:
            answer: HTTPResponse = _opener().open(self.request, timeout=READ_SECONDS)
        except HTTPError as error:
            return error
        return answer


_OPENING: ContextVar[_Opening] = ContextVar("opening")  # of this thread: urllib does not hand it through


def _connected(connection: socket.socket) -> None:
    connection.settimeout(READ_SECONDS)
    _OPENING.get().took(connection)


def _hang_up(connection: socket.socket) -> None:
    """Whoever waits for bytes on it wakes up. The plain shutdown: that of TLS changes what the other thread uses."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def get(url: str, headers: dict[str, str]) -> Answer:
    """The answer, whatever its status, with its body still to be read. Raises OSError, HTTPException, ValueError."""
    request = urllib.request.Request(  # noqa: S310  # the opener knows http and https only
        quote(url, safe=AS_THEY_ARE), headers={"User-Agent": "VideoForge", **headers}
    )
    return _Opening(request).wait()
