"""No log has a word that opens something: what real loggers write, through the handlers of the settings."""

import hashlib
import io
import logging
import logging.config
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.test import Client

from generations.logs import SecretAddresses, without_secrets

TOKEN = "kZ3v-9Qw_0aB7cD2eF5gH8iJ1kL4mN6oP9qR2sT5uV8"
SHORT = "…" + hashlib.sha256(TOKEN.encode()).hexdigest()[:6]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"/s/{TOKEN}/", f"/s/{SHORT}/"),
        (f"Not Found: /s/{TOKEN}/video/1/", f"Not Found: /s/{SHORT}/video/1/"),
        (f"/s/{TOKEN}", f"/s/{SHORT}"),
        (f"https://v.example/s/{TOKEN}/?a=1", f"https://v.example/s/{SHORT}/?a=1"),
        (f'"GET /s/{TOKEN}/ HTTP/1.1" 200', f'"GET /s/{SHORT}/ HTTP/1.1" 200'),
        (f"/callbacks/vidu/{TOKEN}/", f"/callbacks/vidu/{SHORT}/"),
        (f"/media/inputs/{TOKEN}/picture.jpg", f"/media/inputs/{SHORT}/picture.jpg"),
        (f"/invitations/{TOKEN}/", f"/invitations/{SHORT}/"),
        ("/accounts/password/reset/4-dkq2c-kZ3v9Qw/", "/accounts/password/reset/4-…01b24c/"),
        ("/accounts/password/reset/sent/", "/accounts/password/reset/sent/"),
        (f"/accounts/sign-in/?next=/s/{TOKEN}/", f"/accounts/sign-in/?next=/s/{SHORT}/"),
        (f"?next=%2Fs%2F{TOKEN}%2F", f"?next=%2Fs%2F{SHORT}%2F"),
        (f"?next=%252Fs%252F{TOKEN}%252F&b=1", f"?next=%252Fs%252F{SHORT}%252F&b=1"),
        (f"/%73/{TOKEN}/", f"/%73/{SHORT}/"),
        (f"/s/{TOKEN} and /s/{TOKEN}", f"/s/{SHORT} and /s/{SHORT}"),
        (f"/s/{SHORT}/", f"/s/{SHORT}/"),
        ("/settings/links/ /static/css/app.css /tasks/1/", "/settings/links/ /static/css/app.css /tasks/1/"),
        ("/s/", "/s/"),
        ("", ""),
    ],
)
def test_the_secret_part_of_an_address_becomes_a_hash(text: str, expected: str) -> None:
    assert without_secrets(text) == expected
    assert without_secrets(without_secrets(text)) == expected


def test_however_it_is_quoted_it_is_the_same_hash() -> None:
    every_letter = "".join(f"%{ord(letter):02x}" for letter in TOKEN)
    for said in (every_letter, every_letter.upper(), quote(every_letter), quote(quote(TOKEN))):
        assert without_secrets(f"/s/{said}/") == f"/s/{SHORT}/"
        assert without_secrets(f"%2fs%2f{said}%2f") == f"%2fs%2f{SHORT}%2f"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the console handler of the settings writes, with other loggers set up by libraries before."""
    for name in ("django.server", "gunicorn.error", "gunicorn.access"):
        logging.getLogger(name).addHandler(logging.StreamHandler(io.StringIO()))
        logging.getLogger(name).propagate = False
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    logging.config.dictConfig(settings.LOGGING)
    written = io.StringIO()
    [console] = [each for each in root.handlers if type(each) is logging.StreamHandler]
    console.setStream(written)
    yield written
    root.handlers[:] = before


LOGGERS = ["", "django.request", "django.server", "gunicorn.error", "gunicorn.access", "videoforge.media"]


@pytest.mark.parametrize("name", LOGGERS)
def test_every_logger_goes_through_the_filter(name: str, log: io.StringIO) -> None:
    logger = logging.getLogger(name)
    assert [each for each in logger.handlers if not each.filters] == [] or not name
    logger.warning("asked for %s", f"/s/{TOKEN}/")
    logger.warning("%(h)s %(r)s", {"h": "127.0.0.1", "r": f"GET /s/{TOKEN}/ HTTP/1.1"})
    logger.warning(f"/invitations/{TOKEN}/")
    said = log.getvalue()
    assert TOKEN not in said
    assert said.count(SHORT) == 3


def test_errors_tell_it_neither(log: io.StringIO) -> None:
    logger = logging.getLogger("django.request")
    try:
        raise ValueError(f"no such file: /s/{TOKEN}/video/1/")
    except ValueError:
        logger.exception("Internal Server Error: %s", f"/s/{TOKEN}/", stack_info=True)
    logger.error("two of %s but %s", f"/s/{TOKEN}/")
    logger.error("%d", f"/s/{TOKEN}/")
    said = log.getvalue()
    assert "ValueError: no such file" in said
    assert "Traceback" in said
    assert said.count(SHORT) == 4
    assert TOKEN not in said


def test_a_stack_tells_it_neither() -> None:
    stack = f'File "views.py", line 1, in share\n  open("/s/{TOKEN}/")'
    record = logging.LogRecord("django", logging.ERROR, "views.py", 1, "%s", ("odd",), None, sinfo=stack)
    assert SecretAddresses().filter(record)
    assert (record.getMessage(), record.stack_info) == ("odd", stack.replace(TOKEN, SHORT))


def test_what_is_logged_besides_stays_as_it_is(log: io.StringIO) -> None:
    logging.getLogger("videoforge").warning("%s of %d: 100 %%", "one", 2)
    logging.getLogger("videoforge").info("100 % sure")
    assert "WARNING videoforge: one of 2: 100 %" in log.getvalue()
    assert "100 % sure" in log.getvalue()


@pytest.mark.django_db
def test_a_page_that_is_not_there_is_logged_without_its_token(log: io.StringIO) -> None:
    for place in (f"/s/{TOKEN}/", f"/s/{quote(TOKEN)}/video/1/", f"/s/{TOKEN}/nothing/"):
        assert Client().get(place).status_code == 404
    said = log.getvalue()
    assert said.count("Not Found: /s/") == 3
    assert TOKEN not in said


def test_a_process_of_its_own_keeps_to_it(tmp_path: Path) -> None:
    """As the settings set it up, and not as a test does: with the access log of gunicorn switched on."""
    code = f"""
import logging
from gunicorn.config import Config
from gunicorn.glogging import Logger
config = Config()
config.set("accesslog", "-")
config.set("errorlog", "-")
ours = Logger(config)
import django
django.setup()
ours.access_log.info("%(r)s", {{"r": "GET /s/{TOKEN}/ HTTP/1.1"}})
ours.error("Error handling request %s", "/s/{TOKEN}/video/1/")
logging.getLogger("django.request").warning("Not Found: %s", "/s/{TOKEN}/")
"""
    environment = {"DJANGO_SETTINGS_MODULE": "videoforge.settings", "VIDEOFORGE_DATA": str(tmp_path), "PATH": ""}
    done: Any = subprocess.run(
        [sys.executable, "-c", code], cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=True
    )
    said = done.stdout + done.stderr
    assert TOKEN not in said
    assert said.count(SHORT) == 3, said
