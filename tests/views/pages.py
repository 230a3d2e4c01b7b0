"""Reading pages the way a browser would, and asking the way htmx does."""

from html.parser import HTMLParser
from typing import Any

from django.test import Client

from generations.models import User


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def htmx(**extra: str) -> dict[str, str]:
    return {"HX-Request": "true", **extra}


class Form(HTMLParser):
    """What a browser would send of the form with this id, if its button without a name were pressed."""

    def __init__(self, html: str, form_id: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.form_id, self._inside, self._select, self._textarea = form_id, False, "", ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given: dict[str, Any] = dict(attrs)
        if tag == "form":
            self._inside = given.get("id") == self.form_id
        if not self._inside or "disabled" in given:
            return
        if tag == "input" and given.get("name") and given.get("type") != "file":
            if given.get("type") not in ("radio", "checkbox") or "checked" in given:
                self.fields[given["name"]] = given.get("value") or ""
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option" and self._select and ("selected" in given or self._select not in self.fields):
            self.fields[self._select] = given["value"] or ""
        elif tag == "textarea":
            self._textarea = given["name"]
            self.fields[self._textarea] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.fields[self._textarea] += data


def composer_fields(client: Client, address: str = "/", **over: str) -> dict[str, str]:
    """The composer as the page offers it, with some fields changed."""
    html = client.get(address).content.decode()
    return Form(html, "composer").fields | over
