"""The process: its address, its end, and what it remembers afterwards."""

import argparse
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from generations.sandbox.server import loopback

from .conftest import ROOT, Customer, running

pytestmark = pytest.mark.route


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "example.com", ""])
def test_only_loopback_is_bound(host: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        loopback(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_addresses(host: str) -> None:
    assert loopback(host) == host


@pytest.mark.parametrize("options", [["--host", "0.0.0.0"], ["--speed", "0"], ["--clip-height", "9999"], []])
def test_bad_options_end_it_at_once(tmp_path: Path, options: list[str]) -> None:
    data = ["--data", str(tmp_path)] if options else []
    command = [sys.executable, "-m", "generations.sandbox", "--port", "0", *data, *options]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 2
    assert "error:" in ended.stderr


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    with running(tmp_path, "--clip-height", "360") as first:
        customer = Customer(first.url)
        done = customer.made(payload="a")
        link = customer.finished(done)["creations"][0]["url"]
        slow = customer.made(prompt="[slow]", payload="b", duration=16)
        before = customer.query(slow)
        assert before["state"] in ("created", "queueing", "processing")
        first.process.kill()  # no goodbye
        first.process.wait()
    with running(tmp_path) as second:
        customer = Customer(second.url, customer.secret)
        assert httpx.get(link.replace(first.url, second.url)).status_code == 200
        assert customer.query(done)["state"] == "success"
        assert customer.finished(slow)["payload"] == "b"
        assert customer.books()["charged"] == 11 + 176
        assert {row["id"] for row in customer.listed()} == {done, slow}


def test_sigterm_lets_a_request_finish(tmp_path: Path) -> None:
    with running(tmp_path) as started:
        host, port = started.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as half:
            half.sendall(b"POST /ent/v2/text2video HTTP/1.1\r\nHost: x\r\nAuthorization: Token sandbox-a\r\n")
            half.sendall(b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{")
            time.sleep(0.2)
            started.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            half.sendall(b"}")
            assert half.recv(100).startswith(b"HTTP/1.1 400")
        assert started.process.wait(6) == 0
    assert not list(tmp_path.glob("clips/.*"))


def test_reset_while_clips_are_made(tmp_path: Path) -> None:
    with running(tmp_path, "--clip-height", "360") as started:
        customer = Customer(started.url)
        for _ in range(3):
            customer.made(duration=5)
        time.sleep(0.4)
        assert httpx.post(f"{started.url}/_sandbox/reset").status_code == 200
        assert httpx.get(f"{started.url}/_sandbox/books").json() == {}
        task_id = customer.made()
        assert customer.finished(task_id)["state"] == "success"
        assert [task["id"] for task in customer.books()["tasks"]] == [task_id]
        assert sorted(path.stem for path in (tmp_path / "clips").iterdir()) == [task_id, task_id]


def test_many_at_once(tmp_path: Path) -> None:
    with running(tmp_path, "--credits", "100000") as started:
        customers = [Customer(started.url) for _ in range(6)]

        def buy(customer: Customer) -> None:
            for _ in range(10):
                customer.made(prompt="[fail]")
                customer.listed()

        threads = [threading.Thread(target=buy, args=(customer,)) for customer in customers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for customer in customers:
            books = customer.books()
            assert books["requests"] == {"create": 10, "list": 10}
            assert len({task["id"] for task in books["tasks"]}) == 10
