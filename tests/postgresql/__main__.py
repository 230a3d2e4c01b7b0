"""Run a command with a PostgreSQL server of its own: ``python -m tests.postgresql pytest tests/test_totals.py``.

The server listens on a socket in a scratch folder only, writes nothing anywhere else, and stops with the command.
It does not run as root, so root hands it to the user that Debian's package makes.
"""

import glob
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER, DATABASE = "videoforge", "videoforge"
QUICK = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off", "-c", "listen_addresses=")


def binary(name: str) -> str:
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    path = found[-1] if found else shutil.which(name)
    if path is None:
        raise SystemExit(f"{name} is missing: make postgresql installs it")
    return path


@contextmanager
def server() -> Iterator[str]:
    """The address of a fresh server, as DATABASE_URL takes it."""
    folder = Path(tempfile.mkdtemp(prefix="vf-pg-", dir="/tmp"))  # a socket's path must be short
    owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    if owner:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    who = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}

    def run(*command: str) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, **who)  # type: ignore[call-overload]

    try:
        data = str(folder / "data")
        run(binary("initdb"), "-D", data, "-U", USER, "--auth=trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8")
        options = " ".join((*QUICK, "-k", str(folder)))
        run(binary("pg_ctl"), "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            run(binary("createdb"), "-h", str(folder), "-U", USER, DATABASE)
            yield f"postgresql://{USER}@{str(folder).replace('/', '%2F')}/{DATABASE}"
        finally:
            run(binary("pg_ctl"), "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    with server() as address:
        command = [sys.executable, "-m", *sys.argv[1:]]
        return subprocess.run(command, env={**os.environ, "DATABASE_URL": address}, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
