"""Strangers who announce a form and do not send it hold threads; they must not hold all of them for long."""

import contextlib
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.house import House

pytestmark = pytest.mark.route
MANY = 90  # more than there are threads
HALF = (
    "POST /accounts/sign-in/ HTTP/1.1\r\nHost: localhost\r\nCookie: csrftoken={}\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\na="
)


@pytest.fixture
def house() -> Iterator[House]:
    running = House()
    running.environment["VIDEOFORGE_DEMO_PASSWORD"] = "x" * 20
    running.start()
    yield running
    running.close()


def test_the_house_answers_again_soon(house: House) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MANY):
            held = stack.enter_context(socket.create_connection(("127.0.0.1", house.port), timeout=5))
            held.sendall(HALF.format("x" * 32).encode())
        started = time.monotonic()
        answer = httpx.get(f"{house.url}/healthz", timeout=60)
        assert answer.status_code in (200, 503)
        assert time.monotonic() - started < 45
