"""Run a command with a Redis server of its own: ``python -m tests.redis pytest tests/test_limits.py``.

The server listens on a socket in a scratch folder only, keeps everything in memory, and stops with the command.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

READY_SECONDS = 20


@contextmanager
def server() -> Iterator[str]:
    """The address of a fresh server, as REDIS_URL takes it."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("redis-server is missing: make redis installs it")
    folder = Path(tempfile.mkdtemp(prefix="vf-redis-", dir="/tmp"))  # a socket's path must be short
    socket = folder / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, cwd=folder)
    try:
        end = time.monotonic() + READY_SECONDS
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit("redis-server did not start")
            time.sleep(0.05)
        yield f"unix://{socket}?db=0"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    with server() as address:
        command = [sys.executable, "-m", *sys.argv[1:]]
        return subprocess.run(command, env={**os.environ, "REDIS_URL": address}, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
