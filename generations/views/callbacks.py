"""Where vendors call back: open to all, so it tells nobody anything and costs next to nothing.

The status is all of the answer, and Django's own line about refused requests is left out, since it has the address.
"""

from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from generations import callbacks
from generations.providers.base import BadCallback

MOST = 64 * 1024  # bytes; a vendor's are a few hundred
PATIENCE = 5.0  # seconds for bytes that were announced


@csrf_exempt
def callback(request: HttpRequest, provider: str, word: str) -> HttpResponse:
    try:
        response = HttpResponse(status=_status(request, provider, word))
    except DatabaseError as error:
        callbacks.log.error("a callback could not be noted: %s", type(error).__name__)
        response = HttpResponse(status=503)  # the vendor comes again; if not, the task is asked for anyway
    if response.status_code == 405:
        response.headers["Allow"] = "POST"
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _status(request: HttpRequest, provider: str, word: str) -> int:
    """Head before body: from somebody who is not the vendor nothing is read but the head."""
    if request.method != "POST":
        return 405
    if _announced(request) > MOST:
        return 413
    attempt = callbacks.find(provider, word)
    if attempt is None:
        return 404
    try:
        nonce = callbacks.check(attempt, word, request.method, request.headers)
    except BadCallback:
        return 403
    body = _body(request)
    if len(body) > MOST:
        return 413
    callbacks.take(attempt, nonce, body)
    return 200


def _announced(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _body(request: HttpRequest) -> bytes:
    """What there is of the body, at most a byte more than is taken. One that does not come is none."""
    connection: Any = request.META.get("gunicorn.socket")
    if connection is not None:
        connection.settimeout(PATIENCE)  # else a sender of less than it announced holds a thread
    try:
        return bytes(_source(request).read(MOST + 1))
    except OSError:
        return b""


def _source(request: HttpRequest) -> Any:
    """Django reads only what has a length; a server that knows the end of a body in pieces says so."""
    in_pieces = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
    return request.META["wsgi.input"] if in_pieces and request.META.get("wsgi.input_terminated") else request
