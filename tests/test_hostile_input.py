"""Whatever somebody sends, the answer is a sentence: arbitrary bytes as pictures, bodies, fields, queries, tokens."""

import io
import os
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from django.test import Client
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from generations import assets
from generations.forms import GenerateForm
from generations.forms.join import JoinForm
from generations.forms.reconcile import ReconcileForm, SettleForm
from generations.forms.share import ExtendForm, ShareForm
from generations.models import HouseRules, Invitation, ProviderKey, ShareLink, User
from generations.reports import Filters
from generations.reports.spans import Unclear
from tests.factories import make_creation, make_task
from tests.views.pages import signed_in

pytestmark = pytest.mark.django_db
CASES = 1000 if "PROPERTY_EXAMPLES" in os.environ else 60  # `make test` asks for all
HOW: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
many = settings(max_examples=CASES, **HOW)
fewer = settings(max_examples=CASES // 5, **HOW)  # where each is a whole request

NASTY = st.sampled_from([
    "", "0", "-1", "9" * 400, "NaN", "1e999", "\0", "\r\nSet-Cookie: a=b", "../../etc/passwd", "%00", "=1+1",
    "<script>",
    "{{ 7*7 }}", "' OR 1=1 --", "\u202e", "😀" * 50, "on", "true", "null", "2026-13-45", "١٢٣", "１２", " 5 ",
])  # fmt: skip
TEXT = st.one_of(NASTY, st.text(max_size=60), st.integers().map(str))
HEADS = (
    b"",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0",
    b"RIFF\x00\x01\x00\x00WEBPVP8 ",
    b"<svg xmlns=",
    b"GIF89a",
    b"BM",
)


def fields_of(*names: str) -> st.SearchStrategy[dict[str, list[str]]]:
    return st.dictionaries(st.sampled_from(names), st.lists(TEXT, min_size=1, max_size=3), max_size=len(names))


def as_query(fields: dict[str, list[str]]) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, values in fields.items():
        data.setlist(name, values)
    return data


def a_picture(kind: str) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (160, 160), "#123456").save(content, kind)
    return content.getvalue()


PICTURES = [a_picture(kind) for kind in ("PNG", "JPEG", "WEBP")]


# --- Files ---------------------------------------------------------------------------------------------------


def is_read_or_refused(content: bytes) -> None:
    with suppress(assets.BadImage):
        assert assets.read_picture(SimpleUploadedFile("x.png", content)).width >= assets.MIN_SIDE


@many
@given(st.sampled_from(HEADS), st.binary(max_size=800))
def test_bytes_that_call_themselves_a_picture(head: bytes, rest: bytes) -> None:
    is_read_or_refused(head + rest)


@many
@given(st.sampled_from(PICTURES), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6), st.data())
def test_pictures_with_holes(picture: bytes, damage: list[tuple[int, int]], data: st.DataObject) -> None:
    content = bytearray(picture)
    for place, value in damage:
        content[place % len(content)] = value
    is_read_or_refused(bytes(content[: data.draw(st.integers(1, len(content)))]))


# --- Forms ---------------------------------------------------------------------------------------------------


@many
@given(fields_of(*GenerateForm.base_fields), st.binary(max_size=60))
def test_the_composer(alice: User, key: ProviderKey, fields: dict[str, list[str]], content: bytes) -> None:
    files: MultiValueDict[str, Any] = MultiValueDict({"images": [SimpleUploadedFile("a/../b\0.png", content)]})
    form = GenerateForm(as_query({"key": [str(key.pk)], **fields}), files, user=alice)
    assert isinstance(form.is_valid(), bool)
    assert form.params is not None


@many
@given(fields_of(*{*ShareForm.base_fields, *ExtendForm.base_fields}))
def test_a_share_link(alice: User, key: ProviderKey, fields: dict[str, list[str]]) -> None:
    task = make_task(alice, state="succeeded")
    make_creation(task)
    data = as_query(fields)
    form = ShareForm(data, person=alice, task=task)
    if form.is_valid():
        link, _token = form.save()
        ExtendForm(data, link=link, rules=HouseRules.now()).is_valid()
        assert ShareLink.objects.filter(pk=link.pk).exists()


@many
@given(fields_of(*{*ReconcileForm.base_fields, *SettleForm.base_fields}))
def test_the_books(key: ProviderKey, fields: dict[str, list[str]]) -> None:
    data = as_query(fields)
    ran = ReconcileForm(data)
    if ran.is_valid():
        assert ran.window
    SettleForm(data).is_valid()


@many
@given(fields_of(*JoinForm.base_fields))
def test_joining(admin: User, fields: dict[str, list[str]]) -> None:
    invitation = Invitation(created_by=admin, expires_at=timezone.now(), role="member")
    assert isinstance(JoinForm(invitation, as_query(fields)).is_valid(), bool)


# --- Addresses and bodies --------------------------------------------------------------------------------------

ASKED = ("view", "by", "then", "key", "person", "model", "vendor", "mode", "state", "kind", "unit", "period", "from",
         "to", "charge", "list", "before", "format")  # fmt: skip


@many
@given(fields_of(*ASKED))
def test_what_reports_are_asked(admin: User, key: ProviderKey, fields: dict[str, list[str]]) -> None:
    with suppress(Unclear):
        assert Filters.read(as_query(fields), admin)


BODIES = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data",
          "application/json", "multipart/form-data; boundary=\"\"", "text/plain; charset=utf-99", "")  # fmt: skip
TAKERS = (
    "/tasks/",
    "/settings/look/",
    "/settings/links/revoke/",
    "/accounts/sign-in/",
    "/callbacks/vidu/x/",
    "/s/x/unlock/",
)


@fewer
@given(st.sampled_from(TAKERS), st.sampled_from(BODIES), st.one_of(st.binary(max_size=300), st.binary(max_size=80).map(
    lambda rest: b'--x\r\nContent-Disposition: form-data; name="images"; filename="' + rest
)))  # fmt: skip
def test_any_body(alice: User, key: ProviderKey, path: str, kind: str, body: bytes) -> None:
    client = signed_in(alice)
    response = client.generic("POST", path, body, content_type=kind)
    assert response.status_code < 500


@fewer
@given(TEXT, st.sampled_from(["/s/{}/", "/s/{}/video/1/", "/invitations/{}/", "/media/inputs/{}/x.jpg", "/tasks/{}/",
                              "/?from={}", "/?edit={}", "/?before={}", "/live/?v={}", "/library/?q={}&before={}",
                              "/usage/rows/?before={}", "/operations/{}/", "/admin/generations/task/{}/change/",
                              "/accounts/sign-in/?next={}"]))  # fmt: skip
def test_any_address(admin: User, key: ProviderKey, text: str, pattern: str) -> None:
    for client in (signed_in(admin), Client()):
        response = client.get(pattern.format(quote(text, errors="surrogatepass"), quote(text, errors="surrogatepass")))
        assert response.status_code < 500
        assert "\n" not in response.headers.get("Location", "")
