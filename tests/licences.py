"""The libraries of this house with their versions and licences: ``python -m tests.licences > docs/licences.md``.

Taken from what is installed, by the names of the compiled requirements.
"""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)", re.MULTILINE)
HEAD = """# Libraries and their licences

What `requirements/run.txt` installs; tests add those of `requirements/test.txt`, which are not part of what runs.
Made by `make licences` from the packages' own words; a test compares it with what is installed.

| library | version | licence |
|---|---|---|
"""


def pinned(name: str = "run") -> dict[str, str]:
    return dict(PINNED.findall((ROOT / "requirements" / f"{name}.txt").read_text()))


def licence_of(library: str) -> str:
    """SPDX where the package has it; else its own line, or what its classifiers say."""
    told = metadata.metadata(library)
    if expression := told.get("License-Expression"):
        return str(expression)
    classified = [each.rpartition(" :: ")[2] for each in told.get_all("Classifier") or () if each.startswith("License")]
    line = str(told.get("License") or "").strip().splitlines()
    plain = [name for name in classified if name != "OSI Approved"]
    return " or ".join(plain) or (line[0] if line else "not said")


def page() -> str:
    return HEAD + "".join(_lines())


def _lines() -> Iterator[str]:
    for library, version in sorted(pinned().items(), key=lambda each: each[0].lower()):
        yield f"| {library} | {version} | {licence_of(library)} |\n"


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201
