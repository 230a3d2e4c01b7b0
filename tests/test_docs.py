"""Documents that fail the build when they no longer tell the truth."""

import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command, get_commands

from generations.providers import PROVIDERS, catalog
from generations.providers.base import MODES
from generations.sandbox.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def test_every_scenario_of_the_sandbox_is_told() -> None:
    rows = dict(re.findall(r"^\| `\[([a-z0-9]+)\]` \| (.+) \|$", README, re.MULTILINE))
    assert rows == SCENARIOS


@pytest.mark.parametrize("command", [name for name, app in get_commands().items() if app == "generations"])
def test_every_command_is_told(command: str) -> None:
    assert f"manage.py {command}" in README


def test_every_setting_is_told() -> None:
    text = (ROOT / "videoforge" / "settings.py").read_text()
    names = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', text))
    assert {"PORT", "DATABASE_URL", "VIDEOFORGE_DATA"} <= names
    assert not [name for name in names if f"`{name}`" not in README]


def test_every_target_of_the_makefile_is_told() -> None:
    targets = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets
    contributing = (ROOT / "CONTRIBUTING.md").read_text() + README
    internal = {"browser", "clean", "lint", "install"}
    assert not [name for name in targets[1].split() if name not in internal and f"make {name}" not in contributing]


def test_ci_runs_what_the_readme_promises() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert README.index("make run") < README.index("make test") < 900, "both stand on the first screen"


def test_every_room_is_drawn() -> None:
    from tests.test_architecture import BELOW

    drawn = (ROOT / "ARCHITECTURE.md").read_text()
    frame = {"apps", "middleware", "templatetags", "urls"}  # where Django expects them, doing what it says
    assert not [room for room in BELOW if room not in drawn and room not in frame]


def test_the_page_of_the_vendors_is_current() -> None:
    page = StringIO()
    call_command("catalogue", stdout=page)
    assert (ROOT / "docs" / "vendors.md").read_text() == page.getvalue(), "run `make vendors`"


def test_the_page_of_the_vendors_has_every_offer() -> None:
    page = (ROOT / "docs" / "vendors.md").read_text()
    for slug, provider in PROVIDERS.items():
        assert f"\n## {provider.name}\n" in page
        for offer in catalog.offers(slug):
            if offer.mode in MODES:
                assert f"| {offer.label} | `{offer.wire_model}` |" in page
