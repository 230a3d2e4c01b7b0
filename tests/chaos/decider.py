"""The administrator: looks into the vendor's books, as into its console, and presses the buttons of the page."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.house import PASSWORD

from .house import ChaosHouse

UNCLEAR = """SELECT t.id, t.provider, t.prompt_text, a.token, a.id FROM generations_task t
    JOIN generations_attempt a ON a.id = t.attempt_id
    WHERE t.state = 'uncertain' AND a.state = 'unknown' ORDER BY t.id"""
PATIENCE_S = 10.0
"""An id that was named is named again after so long: the vendor may have answered with an error."""
KNOWN = "SELECT remote_id FROM generations_attempt WHERE remote_id != ''"


@dataclass
class Decider:
    """Counts what was decided. Trouble with the web process means: later."""

    house: ChaosHouse
    decided: dict[str, int] = field(default_factory=dict)
    named: dict[str, float] = field(default_factory=dict)
    """Task: when an id was named for it."""
    turn: int = 0

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.house.url, timeout=20, follow_redirects=False)

    def close(self) -> None:
        self.http.close()

    def look_after(self) -> None:
        """Decide about everything that is unclear and that no search goes on for."""
        unclear = self.house.rows(UNCLEAR)
        if not unclear:
            return
        try:
            books = self.house.vendors()
            if not self.http.cookies.get("sessionid"):
                self._sign_in()
            for row in unclear:
                self._decide(*row, books)
        except httpx.TransportError:
            return

    def _sign_in(self) -> None:
        self.http.get("/accounts/sign-in/")
        self._post("/accounts/sign-in/", {"username": "demo", "password": PASSWORD})

    def _post(self, path: str, fields: dict[str, str]) -> httpx.Response:
        token = self.http.cookies.get("csrftoken") or ""
        return self.http.post(path, data=fields, headers={"X-CSRFToken": token, "Referer": self.house.url})

    def _decide(
        self, task: str, vendor: str, prompt: str, token: str, attempt: int, books: dict[str, dict[str, Any]]
    ) -> None:
        found = self._made(vendor, prompt, token, books)
        if found and time.monotonic() < self.named.get(task, 0.0) + PATIENCE_S:
            return  # the vendor is being asked
        decision = "exists" if found else ("not-made", "resend")[self.turn % 2]
        fields = {"decision": decision, "remote_id": found, "accept": "on", "attempt": str(attempt)}
        answer = self._post(f"/tasks/{uuid.UUID(task)}/decide/", fields)
        if answer.status_code == 302:
            self.turn += not found
            self.decided[decision] = self.decided.get(decision, 0) + (task not in self.named or not found)
            self.named[task] = time.monotonic()
        else:  # still searched for by itself, or decided meanwhile
            assert answer.status_code in (404, 409, 422, 500, 502), answer.text

    def _made(self, vendor: str, prompt: str, token: str, books: dict[str, dict[str, Any]]) -> str:
        """The vendor's id of this create; empty when it made none. By the token, or else by the prompt."""
        known = {remote_id for (remote_id,) in self.house.rows(KNOWN)}
        tasks = [task for account in books.get(vendor, {}).values() for task in account["tasks"]]
        free = [task for task in tasks if task["id"] not in known]
        carried = [task for task in free if task["payload"]]
        ours = [task["id"] for task in carried if task["payload"] == token]
        ours = ours or [task["id"] for task in free if not task["payload"] and task["prompt"] == prompt]
        assert len(ours) <= 1, f"booked twice: {ours}"
        return ours[0] if ours else ""
