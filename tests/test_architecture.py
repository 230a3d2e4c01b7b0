"""The house's lock: who may import whom, and what must stand in one place only."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "generations"

# Each room and the rooms below it that it may use. What is not listed is forbidden; ARCHITECTURE.md draws it.
BELOW: dict[str, set[str]] = {
    "providers": set(),
    "sandbox": set(),
    "guard": set(),
    "transport": {"guard", "providers"},
    "archive": {"guard"},
    "ciphers": set(),
    "queue": set(),
    "models": {"ciphers", "providers"},
    "roles": {"models"},
    "totals": {"models"},
    "triggers": set(),
    "ledger": {"models", "providers", "totals"},
    "budgets": {"ledger", "models", "totals"},
    "standings": {"budgets", "ledger", "models", "totals"},
    "redactor": set(),
    "evidence": {"models", "providers", "redactor"},
    "cases": {"evidence", "models", "providers", "redactor"},
    "callbacks": {"addresses", "models", "providers", "queue"},
    "leases": {"models"},
    "assets": {"models"},
    "stills": {"archive", "assets", "models"},
    "queries": {"models"},
    "tokens": set(),
    "sharing": {"models", "queries", "tokens"},
    "visits": {"audit", "models"},
    "passphrases": {"limits", "models"},
    "logs": set(),
    "limits": set(),
    "sessions": {"ciphers"},
    "reencryption": {"ciphers", "models"},
    "leaving": {"invitations", "models", "sessions", "sharing"},
    "addresses": {"models", "providers"},
    "outgoing": {"addresses", "guard", "models", "providers"},
    "stock": {"addresses", "models", "providers"},
    "choices": {"models", "providers"},
    "words": {"models", "providers"},
    "lifecycle": {"budgets", "ledger", "models", "providers", "queue", "redactor", "totals"},
    "dispatch": {
        "addresses", "assets", "budgets", "callbacks", "evidence", "lifecycle", "models", "providers", "queue",
        "stock", "transport",
    },
    "pace": {"models", "providers"},
    "looks": {"callbacks", "leases", "models", "pace", "providers"},
    "polling": {"evidence", "lifecycle", "looks", "models", "providers", "transport"},
    "incoming": {"archive", "models"},
    "links": {"lifecycle", "models", "polling", "providers"},
    "saving": {
        "archive", "evidence", "incoming", "leases", "lifecycle", "links", "models", "outgoing", "providers",
        "queue",
    },
    "keys": {"addresses", "evidence", "lifecycle", "models", "providers", "transport"},
    "lookup": {"evidence", "lifecycle", "models", "providers", "transport"},
    "alerts": {"budgets", "standings", "leases", "models", "queue", "saving", "sharing", "totals"},
    "alert_words": {"models", "words"},
    "delivery": {"alert_words", "models", "redactor"},
    "reconciliation": {
        "alert_words", "alerts", "evidence", "keys", "leases", "ledger", "lifecycle", "looks", "lookup", "models",
        "polling", "providers", "queue", "redactor", "totals", "transport", "words",
    },
    "sweep": {
        "alerts", "dispatch", "evidence", "keys", "leases", "lifecycle", "models", "pace", "providers", "queue",
        "reconciliation", "saving", "sessions",
    },
    "rounds": {"alerts", "dispatch", "leases", "polling", "queue", "sweep"},
    "health": {"archive", "models", "pace", "providers", "rounds", "saving"},
    "jobs": {
        "alerts", "delivery", "dispatch", "health", "keys", "leases", "lookup", "models", "polling",
        "reconciliation", "rounds", "saving", "totals",
    },
    "history": {"models", "providers"},
    "reports": {"ledger", "models", "providers", "totals", "words"},
    "exports": {"models", "reports", "sheets", "totals"},
    "sheets": set(),
    "forms": {
        "alerts", "assets", "budgets", "choices", "history", "ledger", "lifecycle", "limits", "models", "providers",
        "queries", "sharing", "stock", "totals", "words",
    },
    "views": {
        "addresses", "assets", "audit", "budgets", "callbacks", "cases", "choices", "exports", "forms", "health",
        "invitations", "lifecycle", "limits", "models", "operations", "pace", "passphrases", "providers", "queries",
        "reconciliation", "reports", "sharing", "sign_in", "standings", "stills", "stock", "totals", "uncertainty",
        "visits", "words",
    },
    "time_left": {"models", "pace", "words"},
    "uncertainty": {"models", "words"},
    "operations": {"callbacks", "health", "models", "providers", "saving", "words"},
    "templatetags": {
        "alert_words", "attention", "budgets", "choices", "models", "pace", "providers", "queries", "reports",
        "time_left", "uncertainty", "words",
    },
    "attention": {"alerts", "budgets", "health", "models", "operations", "standings", "words"},
    "admin": {
        "addresses", "alert_words", "alerts", "audit", "budgets", "choices", "guard", "invitations", "keys",
        "leaving", "ledger", "lifecycle", "models", "operations", "outgoing", "providers", "queue",
        "reconciliation", "sessions", "sharing", "standings", "stock", "totals", "words",
    },
    "audit": {"models"},
    "invitations": {"models", "tokens"},
    "sign_in": {"addresses", "audit", "ciphers", "guard", "invitations", "limits", "models", "outgoing"},
    "account_urls": {"views"},
    "checks": set(),
    "middleware": {"assets", "forms", "models"},
    "urls": {"views"},
    "apps": {"audit", "checks", "jobs", "rounds"},
    "management": {
        "alerts", "archive", "budgets", "checks", "choices", "delivery", "forms", "health", "jobs", "keys", "ledger",
        "lifecycle", "limits", "models", "providers", "reconciliation", "reencryption", "rounds", "sandbox",
        "stock", "totals", "words",
    },
}  # fmt: skip
PURE = {"guard", "providers", "redactor", "sandbox"}  # no Django, so that they can be read and tested alone
TALKS_HTTP = {"transport", "archive", "sandbox", "sign_in"}  # a vendor fetches pictures, so its stand-in does


def room(path: Path) -> str:
    return path.relative_to(APP).parts[0].removesuffix(".py")


def sources() -> list[Path]:
    found = [path for path in APP.rglob("*.py") if "migrations" not in path.parts]
    return [path for path in found if path.parent != APP or path.name != "__init__.py"]


def imports(path: Path) -> Iterator[str]:
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            yield from (f"{module}.{alias.name}" for alias in node.names)


def rooms_used(path: Path) -> set[str]:
    used = {name.split(".")[1] for name in imports(path) if name.startswith("generations.") and "." in name}
    return used - {room(path)}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(APP)))
def test_arrows_point_down(path: Path) -> None:
    assert room(path) in BELOW, f"{path.name} is a new room: say in BELOW what it may use"
    forbidden = rooms_used(path) - BELOW[room(path)]
    assert not forbidden, f"{path.relative_to(ROOT)} must not import {sorted(forbidden)}"


def test_the_arrows_have_no_circle() -> None:
    done: set[str] = set()
    while len(done) < len(BELOW):
        free = {name for name, below in BELOW.items() if name not in done and below <= done}
        assert free, f"a circle among {sorted(set(BELOW) - done)}"
        done |= free


@pytest.mark.parametrize("path", [path for path in sources() if room(path) in PURE], ids=lambda path: path.name)
def test_translators_and_sandbox_stand_alone(path: Path) -> None:
    assert not [name for name in imports(path) if name.split(".")[0] in {"django", "videoforge"}]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(APP)))
def test_http_is_spoken_in_two_rooms(path: Path) -> None:
    speaks = {"httpx", "requests", "urllib.request", "http.client"} & {
        part for name in imports(path) for part in (name, name.rpartition(".")[0], name.split(".")[0])
    }
    launcher = path.name == "run.py"  # asks its own web process whether it is up
    assert not speaks or room(path) in TALKS_HTTP or launcher


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(APP)))
def test_lifecycle_alone_writes_the_state_of_a_task(path: Path) -> None:
    """Other tables have states too: what is looked for is an assignment or update that names a task's state."""
    if room(path) == "lifecycle":
        return
    text = path.read_text()
    assert not re.search(r"task\.state\s*=[^=]", text)
    assert not re.search(r"Task\.objects[^\n]*\.update\([^)]*\bstate=", text)
    assert not re.search(r"update\([^)]*\bstate=TaskState", text)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(APP)))
def test_ledger_alone_writes_usage(path: Path) -> None:
    if room(path) != "ledger":
        assert "UsageEntry.objects.create" not in path.read_text()
        assert "UsageEntry(" not in path.read_text().replace("class UsageEntry(", "")


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(APP)))
def test_functions_stay_readable(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= 60, f"{node.name} has {lines} lines"
    assert len(path.read_text().splitlines()) <= 520


def test_migrations_have_names_that_say_something() -> None:
    for path in (APP / "migrations").glob("0*.py"):
        assert not re.search(r"_auto_|_alter_.*_and_more|_initial_\d", path.name), path.name


def test_no_text_names_a_place_outside_the_project() -> None:
    """The tree stands alone: no address of a package index, no path of one machine."""
    words = re.compile(r"/simple/|--index-url|--find-links|(?<![\w.])/" + "work/")
    for path in [*ROOT.glob("requirements/*"), *ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml"]:
        assert not words.search(path.read_text()), path
