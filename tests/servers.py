"""Small real HTTP servers on loopback for what a test wants to hear over a socket."""

import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answering = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(answer: Answering, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve every GET and POST with ``answer``; yields the address without a final slash."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer((host, 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def says(status: int, body: bytes, *, content_type: str = "application/json", **headers: str) -> Answering:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Type", content_type)
        request.send_header("Content-Length", headers.pop("length", str(len(body))))
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return answer


@dataclass
class Shelf:
    """A file behind HTTP that keeps Range and If-Range, cuts its answers where told, and notes what it was asked."""

    content: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"v1"'})
    cuts: list[int] = field(default_factory=list)  # bytes of the body after which the next answers break off
    asked: list[dict[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def __call__(self, request: BaseHTTPRequestHandler) -> None:
        asked = {name: request.headers[name] for name in ("Range", "If-Range") if request.headers[name]}
        self.asked.append(asked)
        start = self.start(asked)
        body = self.content[start:]
        self.statuses.append(206 if start else 200)
        request.send_response(206 if start else 200)
        for name, value in self.headers.items():
            request.send_header(name, value)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.cuts.pop(0)] if self.cuts else body)

    def start(self, asked: dict[str, str]) -> int:
        span = re.fullmatch(r"bytes=(\d+)-", asked.get("Range", ""))
        same = asked.get("If-Range") in self.headers.values()
        return int(span[1]) if span and same else 0
