"""What holds for every page: policy, banner, error pages, and what may never be in a template."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from generations.health import PULSE
from generations.models import Lease, ProviderKey, User
from generations.rounds import ACTIVE
from tests.factories import make_task
from tests.views.pages import signed_in

TEMPLATES = sorted((Path(settings.BASE_DIR) / "templates").rglob("*.html"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_are_strict_and_short(template: Path) -> None:
    text = template.read_text()
    assert not re.search(r"\sstyle=|hx-on|hx-vars|hx-ext|javascript:|\son\w+=|<style", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
    assert not re.search(r"""(?:src|href|poster)=["']https?://""", text)
    assert "source_url" not in text
    assert "cover_url" not in text
    assert len(text.splitlines()) <= 120


def test_the_policy_names_ourselves_alone(alice: User, key: ProviderKey) -> None:
    task = make_task(alice)
    client = signed_in(alice)
    for address in ("/", "/library/", f"/tasks/{task.pk}/", "/nowhere/"):
        policy = client.get(address)["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
    assert "default-src 'self'" in Client().get("/accounts/sign-in/")["Content-Security-Policy"]


def test_scripts_and_styles_come_from_ourselves(alice: User, key: ProviderKey) -> None:
    html = signed_in(alice).get("/").content.decode()
    for address in re.findall(r"<(?:script|link)[^>]+(?:src|href)=\"([^\"]+)\"", html):
        assert address.startswith("/static/")
    assert not re.search(r"<script(?![^>]*src=)", html)
    assert " style=" not in html


def test_a_silent_worker_is_announced_to_those_who_wait(alice: User) -> None:
    client = signed_in(alice)
    assert b"No worker is running" in client.get("/").content
    for key in (ACTIVE, PULSE):
        assert b"No worker is running" in client.get("/").content
        Lease.objects.update_or_create(key=key, defaults={"beat_at": timezone.now()})
    assert b"No worker is running" not in client.get("/").content
    assert b"No worker is running" not in Client().get("/accounts/sign-in/").content


def test_the_frame_marks_where_one_is_and_shows_admin_to_staff(alice: User, admin: User) -> None:
    assert signed_in(alice).get("/library/").content.decode().count('aria-current="page"') == 2
    assert b'href="/admin/"' not in signed_in(alice).get("/").content
    assert b'href="/admin/"' in signed_in(admin).get("/").content


def test_missing_pages_have_our_look_for_strangers_too(db: None) -> None:
    response = Client().get("/nowhere/")
    assert response.status_code == 404
    assert b"Nothing here" in response.content


def test_an_expired_form_is_explained(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    response = client.post("/settings/look/", {"theme": "dark"})
    assert response.status_code == 403
    assert b"This form has expired" in response.content


def test_an_unknown_host_is_refused_without_asking_who_it_is(db: None) -> None:
    assert Client().get("/", headers={"Host": "elsewhere.example"}).status_code == 400


@pytest.mark.parametrize("name", ["400", "403", "404", "500"])
def test_error_pages_need_nothing(name: str) -> None:
    from django.template.loader import render_to_string

    assert "VideoForge" in render_to_string(f"{name}.html")


def test_the_admin_wears_our_name(admin: User) -> None:
    html = signed_in(admin).get("/admin/").content
    assert b"VideoForge" in html
    assert b"css/admin.css" in html
