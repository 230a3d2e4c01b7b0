"""What a command says whose database is not there, or is older than the code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def manage(data: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("VIDEOFORGE", "DATABASE"))}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=clean | {"VIDEOFORGE_DATA": str(data)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", ["status", "reconcile", "rotatekeys"])
def test_a_database_without_tables_is_said_in_a_line(tmp_path: Path, command: str) -> None:
    done = manage(tmp_path, command)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "manage.py migrate" in done.stderr


def test_a_database_that_is_away_is_said_in_a_line(tmp_path: Path) -> None:
    done = manage(tmp_path, "status", DATABASE_URL="postgresql://videoforge@127.0.0.1:9/videoforge")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "cannot be reached" in done.stderr


def test_who_wants_to_see_it_whole_does(tmp_path: Path) -> None:
    done = manage(tmp_path, "status", "--traceback")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
