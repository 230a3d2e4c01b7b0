"""The sandbox as a process: its options, and gunicorn with one worker of many threads."""

import argparse
import ipaddress
import logging
import sys
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from .app import Sandbox
from .books import OPENING_BALANCE

DEFAULT_PORT = 8900
_THREADS = 64  # a request that is left hanging holds one
_GRACE_S = 3


def add_options(parser: argparse.ArgumentParser, data: Path | None = None) -> None:
    """The options of both ways to start it; ``data`` is where it keeps its files unless told."""
    parser.add_argument("--host", type=loopback, default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    parser.add_argument("--data", type=Path, default=data, required=data is None, help="directory for books and clips")
    parser.add_argument("--speed", type=_positive, default=1.0, help="divides every pretended waiting time")
    parser.add_argument("--clip-height", type=_clip_height, help="shorter side of all clips, for quick tests")
    parser.add_argument(
        "--credits", type=int, default=OPENING_BALANCE, help="opening balance of a key, in Vidu's credits"
    )


def loopback(host: str) -> str:
    """:raises argparse.ArgumentTypeError: for an address that others could reach; nothing here keeps them out."""
    try:
        good = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        good = False
    if not good:
        raise argparse.ArgumentTypeError(f"{host} is not a loopback address")
    return host


def _positive(text: str) -> float:
    if not 0 < (number := float(text)) < 1e6:
        raise argparse.ArgumentTypeError("must be greater than 0")
    return number


def _clip_height(text: str) -> int:
    if not 48 <= (number := int(text)) <= 1080:
        raise argparse.ArgumentTypeError("must be between 48 and 1080")
    return number


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn without its own command line or configuration file."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.given = options
        self.sandbox: Sandbox | None = None
        super().__init__()

    def load_config(self) -> None:
        """Set everything here; nothing is read from the environment."""
        host, port = self.given["host"], self.given["port"]
        settings = {
            "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": _THREADS,
            "keepalive": 15,
            "graceful_timeout": _GRACE_S,
            "loglevel": "warning",
            "errorlog": "-",
            "proc_name": "videoforge-sandbox",
            "control_socket_disable": True,
            "when_ready": _announce,
            "worker_exit": lambda _server, _worker: self.close(),
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Sandbox:
        """Build the application; gunicorn calls it in the worker, where its threads belong."""
        logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="sandbox: %(message)s")
        given = self.given
        self.sandbox = Sandbox(given["data"], given["speed"], given["clip_height"], given["credits"])
        self.sandbox.start()
        return self.sandbox

    def close(self) -> None:
        """Leave what is in progress before the process ends."""
        if self.sandbox:
            self.sandbox.stop()


def _announce(arbiter: Any) -> None:
    host, port = arbiter.LISTENERS[0].sock.getsockname()[:2]
    sys.stdout.write(f"sandbox ready on http://{f'[{host}]' if ':' in host else host}:{port}\n")
    sys.stdout.flush()


def serve(options: dict[str, Any]) -> None:
    """Run until a signal: SIGTERM lets requests in progress finish. Does not return."""
    Server(options).run()
