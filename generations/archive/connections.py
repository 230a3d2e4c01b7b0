"""HTTP for large files, with the standard library: bytes come as the socket has them, at a third of the work.

A guard stands at each connection and looks at the address that is about to be connected to. Redirects are followed by
hand, each like a new address, never from https:// to http://, and nothing of ours but the wanted range goes along.
Proxies are not used, whatever the environment says: the guard could not see where they go. An answer has begun within
ANSWER_SECONDS or is given up, whatever hangs or trickles: the name server, the handshake, a redirect, the lines of its
head.
"""

import contextlib
import http.client
import socket
import ssl
import string
import threading
import urllib.request
from concurrent.futures import Future
from contextvars import ContextVar
from functools import cache
from http.client import HTTPResponse
from urllib.error import HTTPError
from urllib.parse import quote, urljoin, urlsplit

import httpx

from generations.guard import Guard, Refused, check_url

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0  # without a byte
ANSWER_SECONDS = 35.0  # for the name, the connection, the request and the head of the answer together
MOST_HOPS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
AS_THEY_ARE = "%/:=&?~#+!$,;'@()*[]"  # a signed address must arrive as it was given

Answer = HTTPResponse | HTTPError  # both have status, headers and bytes


class _Plain(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = _dial(self.host, self.port)
        _connected(self.sock)


class _Secure(http.client.HTTPSConnection):
    def connect(self) -> None:
        """To a checked address, and the certificate is still that of the name."""
        self.sock = _trust().wrap_socket(_dial(self.host, self.port), server_hostname=self.host)
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
    """By hand: the usual one would use proxies, and follow redirects without asking."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.UnknownHandler,
        _HTTP,
        _HTTPS,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    opener.addheaders = []
    return opener


class _Opening:
    """A request until its answer begins, on a thread of its own: looking for a name cannot be interrupted."""

    def __init__(self, url: str, headers: dict[str, str], guard: Guard) -> None:
        self.url, self.headers, self.guard = url, headers, guard
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
        url = self.url
        for _ in range(MOST_HOPS + 1):
            answer = self._ask(url)
            elsewhere = _elsewhere(answer, url)
            if not elsewhere:
                return answer
            answer.close()  # its body is of no interest, and may have no end
            url = elsewhere
        raise Refused("The address leads on and on.")

    def _ask(self, url: str) -> Answer:
        check_url(url)
        request = urllib.request.Request(url, headers=self.headers)  # noqa: S310  # checked
        try:
            answer: HTTPResponse = _opener().open(request, timeout=READ_SECONDS)
        except HTTPError as error:
            return error
        return answer


_OPENING: ContextVar[_Opening] = ContextVar("opening")  # of this thread: urllib does not hand it through


def _dial(host: str, port: int) -> socket.socket:
    return _OPENING.get().guard.connect(host, port, CONNECT_SECONDS)


def _elsewhere(answer: Answer, url: str) -> str:
    """Where a redirect leads, "" for any other answer. Raises Refused when it would take the encryption away."""
    target = answer.headers.get("Location", "").strip()
    if answer.status not in REDIRECTS or not target:
        return ""
    target = urljoin(url, quote(target, safe=string.punctuation, encoding="iso-8859-1"))
    if urlsplit(url).scheme == "https" and urlsplit(target).scheme == "http":
        raise Refused("The address leads from https:// to http://.")
    return target


def _connected(connection: socket.socket) -> None:
    connection.settimeout(READ_SECONDS)
    _OPENING.get().took(connection)


def _hang_up(connection: socket.socket) -> None:
    """Whoever waits for bytes on it wakes up. The plain shutdown: that of TLS changes what the other thread uses."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def get(url: str, headers: dict[str, str], guard: Guard) -> Answer:
    """The answer, whatever its status, with its body still to be read.

    Raises OSError (``guard.Refused`` where the guard stands), HTTPException, ValueError.
    """
    return _Opening(_as_asked(url), {"User-Agent": "VideoForge", **headers}, guard).wait()


def _as_asked(url: str) -> str:
    """In ASCII: the host as the name service has it, all else as it was signed."""
    netloc = urlsplit(url).netloc
    return quote(url.replace(netloc, netloc.encode("idna").decode(), 1), safe=AS_THEY_ARE)
