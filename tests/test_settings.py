"""Started unsafely it does not start, and says how to mend it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from generations import checks

ROOT = Path(__file__).resolve().parent.parent


def check(tmp_path: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("VIDEOFORGE", "DJANGO"))}
    return subprocess.run(
        [sys.executable, "manage.py", "check", *(arguments or ("--tag", "videoforge"))],
        cwd=ROOT,
        env=clean | {"VIDEOFORGE_DATA": str(tmp_path)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_has_to_be_set(tmp_path: Path) -> None:
    assert check(tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("environment", "id"),
    [
        ({"HOST": "0.0.0.0"}, "videoforge.E001"),
        ({"VIDEOFORGE_PUBLIC_URL": "videoforge.example"}, "videoforge.E002"),
        ({"VIDEOFORGE_PUBLIC_URL": "ftp://videoforge.example"}, "videoforge.E002"),
        ({"DEBUG": "1", "VIDEOFORGE_PUBLIC_URL": "https://videoforge.example"}, "videoforge.E003"),
        ({"VIDEOFORGE_SECRET_KEY": "short"}, "videoforge.E004"),
        ({"VIDEOFORGE_ENCRYPTION_KEYS": "nonsense"}, "videoforge.E005"),
        ({"VIDEOFORGE_OIDC_ONLY": "1"}, "videoforge.E006"),
        ({"VIDEOFORGE_OIDC_URL": "https://id.example"}, "videoforge.E007"),
        ({"VIDEOFORGE_OIDC_URL": "id.example", "VIDEOFORGE_OIDC_CLIENT_ID": "x"}, "videoforge.E007"),
        ({"VIDEOFORGE_OIDC_URL": "http://id.example", "VIDEOFORGE_OIDC_CLIENT_ID": "x"}, "videoforge.E008"),
    ],
)
def test_an_unsafe_combination_is_refused_with_its_cure(tmp_path: Path, environment: dict[str, str], id: str) -> None:
    done = check(tmp_path, **environment)
    assert done.returncode == 1
    assert id in done.stderr
    assert "HINT" in done.stderr


def test_a_house_as_it_is_run_has_nothing_to_mend(tmp_path: Path) -> None:
    environment = {
        "VIDEOFORGE_PUBLIC_URL": "https://videoforge.example",
        "VIDEOFORGE_OIDC_URL": "https://id.example/realms/house",
        "VIDEOFORGE_OIDC_CLIENT_ID": "videoforge",
        "VIDEOFORGE_OIDC_ONLY": "1",
    }
    done = check(tmp_path, "--deploy", "--fail-level", "WARNING", **environment)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ["locmem.LocMemCache", "dummy.DummyCache", "filebased.FileBasedCache"])
def test_a_cache_that_is_not_shared_is_said(settings: Any, kind: str) -> None:
    settings.CACHES = {"default": {"BACKEND": f"django.core.cache.backends.{kind}", "LOCATION": "x"}}
    assert [each.id for each in checks.check_sign_in()] == ["videoforge.W002"]


def test_a_server_beside_us_is_a_shared_cache(tmp_path: Path) -> None:
    done = check(tmp_path, "--fail-level", "WARNING", REDIS_URL="redis://127.0.0.1:6379/0")
    assert done.returncode == 0, done.stderr


def test_a_house_on_the_network_with_an_address_is_fine(tmp_path: Path) -> None:
    done = check(tmp_path, HOST="0.0.0.0", VIDEOFORGE_PUBLIC_URL="https://videoforge.example")
    assert done.returncode == 0, done.stderr
