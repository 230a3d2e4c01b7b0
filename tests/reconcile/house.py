"""A house in a hurry whose vendors' books can be looked into, shopped in with another client, and tampered with."""

import json
import re
import subprocess
import sys
from decimal import Decimal
from typing import Any

import httpx

from generations.management.commands.demo import secret_of
from generations.providers import PROVIDERS
from tests.house import PASSWORD, ROOT, House

UNITS = {"vtrix": Decimal(10_000)}
"""In how many of the books' units ours is worth, where they differ."""


class BooksHouse(House):
    """With the pauses of ``tests.chaos.haste``."""

    def __init__(self, speed: float = 8) -> None:
        super().__init__(speed=speed, clip_height=72)
        self.environment |= {"DJANGO_SETTINGS_MODULE": "tests.chaos.settings", "VIDEOFORGE_PUBLIC_URL": self.url}
        self.http = httpx.Client(base_url=self.url, timeout=60, follow_redirects=False)

    def close(self) -> None:
        self.http.close()
        super().close()

    def order(self, orders: list[list[str]], at_once: int = 0) -> list[list[str]]:
        """Task ids of each order."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.chaos.orders"],
            cwd=ROOT,
            env=self.environment,
            input=json.dumps({"orders": orders, "at_once": at_once}),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        placed: list[list[str]] = json.loads(done.stdout)
        return placed

    def reconcile(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "manage.py", "reconcile", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    # -- the vendors' books

    def vendors(self) -> dict[str, dict[str, Any]]:
        """Every vendor's books, by slug and key."""
        found: dict[str, dict[str, Any]] = httpx.get(f"{self.sandbox}/_sandbox/books", timeout=20).json()
        return found

    def charged(self, vendor: str) -> Decimal:
        total = sum(account["charged"] for account in self.vendors()[vendor].values())
        return Decimal(total) / UNITS.get(vendor, Decimal(1))

    def make_elsewhere(self, prompt: str) -> str:
        """Somebody makes a clip at Vidu with our key and a client of their own; the vendor's id."""
        body = {"model": "viduq3-turbo", "prompt": prompt, "duration": 1, "resolution": "540p", "aspect_ratio": "16:9"}
        head = {"Authorization": f"Token {secret_of(PROVIDERS['vidu'])}"}
        answer = httpx.post(f"{self.sandbox}/ent/v2/text2video", json=body, headers=head, timeout=20)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["task_id"])

    def tamper(self, vendor: str, remote_id: str, amount: int) -> None:
        change = {"vendor": vendor, "id": remote_id, "amount": amount}
        answer = httpx.post(f"{self.sandbox}/_sandbox/tamper", json=change, timeout=20)
        assert answer.status_code == 200, answer.text

    # -- an administrator

    def sign_in(self) -> None:
        self.http.get("/accounts/sign-in/")
        self.post("/accounts/sign-in/", {"username": "demo", "password": PASSWORD})
        assert self.http.cookies.get("sessionid")

    def post(self, path: str, fields: dict[str, str]) -> httpx.Response:
        token = self.http.cookies.get("csrftoken") or ""
        return self.http.post(path, data=fields, headers={"X-CSRFToken": token, "Referer": self.url})

    def shown(self, path: str, form: str) -> str:
        """The figures that this form of a page shows and posts back."""
        found = re.search(rf'id="{form}".*?name="shown" value="([^"]*)"', self.http.get(path).text, re.DOTALL)
        assert found, f"no form {form}"
        return found[1]

    # -- our books

    def booked(self, vendor: str) -> Decimal:
        spent = "kind IN ('settle', 'refund', 'external', 'adjust')"
        rows = self.rows(f"SELECT amount FROM generations_usageentry WHERE provider = ? AND {spent}", vendor)  # noqa: S608
        return sum((Decimal(str(amount)) for (amount,) in rows), Decimal(0))
