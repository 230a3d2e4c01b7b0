"""What runs here is pinned, has a licence that lets us run it, and is listed."""

import re
from importlib import metadata
from pathlib import Path

import pytest

from tests import licences

ROOT = Path(__file__).resolve().parent.parent
FREE = re.compile(r"MIT|BSD|Apache|Mozilla|MPL|LGPL|PSF|ISC|0BSD|Unlicense", re.IGNORECASE)
INDEX = re.compile(r"https?://|--(?:extra-)?index-url|--find-links|file:", re.IGNORECASE)


def test_the_list_is_of_what_is_installed() -> None:
    assert (ROOT / "docs" / "licences.md").read_text() == licences.page(), "run: make licences"


@pytest.mark.parametrize("name", sorted(licences.pinned()))
def test_each_may_be_used(name: str) -> None:
    assert FREE.search(licences.licence_of(name))


@pytest.mark.parametrize("name", ["run", "test"])
def test_every_requirement_has_one_version_and_its_hashes(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]
    assert lines
    for line in lines:
        assert licences.PINNED.match(line), line
        assert line.count("--hash=sha256:") >= 1, line
    assert not INDEX.search(text)
    for library, version in licences.pinned(name).items():
        assert metadata.version(library) == version
