"""The support case: everything a vendor needs about one task, and nothing that opens a door."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from generations import cases, evidence, ledger
from generations.models import (
    CallbackNotice,
    EntrySource,
    Prompt,
    ProviderKey,
    Task,
    TaskEvent,
    TaskInput,
    TaskState,
    User,
    VendorRequest,
)
from generations.providers.base import Answer, Call, CallKind, Money, Unit
from tests.bells import give_address
from tests.factories import make_asset, make_attempt, make_creation, make_key, make_task
from tests.views.pages import signed_in

pytestmark = pytest.mark.django_db
KEY_CANARY = "canary-of-the-key-4711"
CALLBACK_CANARY = "canary-of-callbacks-0815"
LINK_CANARY = "canaryofthelink"


@pytest.fixture
def task(alice: User, settings: Settings) -> Task:
    """One that went through everything, with vendors who repeat all they are told."""
    settings.VIDEOFORGE_PUBLIC_URL = "https://videoforge.example"
    key = make_key("Film", KEY_CANARY, base_url="https://api.vidu.com")
    key.set_settings({"callback_secret": CALLBACK_CANARY})
    key.save()
    link = f"https://cdn.example/clip.mp4?X-Amz-Signature={LINK_CANARY}"
    said = f"key {KEY_CANARY} signs {CALLBACK_CANARY}, see {link}"
    task = make_task(
        alice, key=key, state=TaskState.SUCCEEDED, charge=Decimal("52.5000"), quote=Decimal(55), estimate_unit="usd",
        failure_text=said, anomaly=said, submitted_at=timezone.now(), finished_at=timezone.now(), options={"bgm": said},
    )  # fmt: skip
    attempt = task.attempt
    assert attempt is not None
    said += " " + give_address(attempt)
    call = Call(CallKind.CREATE, "POST", "x", {"Authorization": f"Token {KEY_CANARY}"}, (), {"prompt": "x"})
    evidence.record(attempt, call, Answer(200, {}, said.encode(), 0.3), "accepted")
    # Rows from before there was a redactor, or past it.
    VendorRequest.objects.create(attempt=attempt, kind="query", said="success", excerpt=said)
    CallbackNotice.objects.create(attempt=attempt, provider="vidu", nonce="n-1", state_word="success", final=True)
    TaskEvent.objects.create(task=task, kind="queued", detail={"code": said, "more": [said]}, actor=alice)
    TaskInput.objects.create(task=task, asset=make_asset(alice), position=0)
    ledger.reserve(task, Decimal(55), EntrySource.PRICE_LIST)
    ledger.settle(task, Money(Decimal("52.5"), Unit.CREDIT), said)
    make_creation(task, source_url=link, last_error=said)
    return task


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(text for each in value.values() for text in texts(each))]
    return [text for each in value for text in texts(each)] if isinstance(value, list) else [str(value)]


def test_a_case_tells_everything(task: Task) -> None:
    case = cases.case_of(task)
    attempt, key = task.attempt, task.key
    assert attempt is not None
    assert case["task"]["id"] == str(task.pk)
    assert (case["task"]["vendor"], case["task"]["remote_id"]) == ("Vidu", attempt.remote_id)
    assert case["keys"] == [
        {"label": "Film", "secret": key.masked, "fingerprint": key.fingerprint[:12], "address": key.base_url}
    ]
    assert (case["settings"]["model"], case["settings"]["duration"]) == ("viduq3-turbo", 5)
    assert case["settings"]["pictures"][0]["sha256"]
    assert case["prompt"] == {
        "sha256": Prompt.digest_of(task.prompt_text), "characters": len(task.prompt_text), "text": task.prompt_text
    }  # fmt: skip
    money = case["money"]
    assert (money["estimate"], money["quote"], money["charge"]) == (
        {"amount": "55", "unit": "usd"}, {"amount": "55", "unit": "credit"}, {"amount": "52.5", "unit": "credit"}
    )  # fmt: skip
    assert [(entry["kind"], entry["amount"], entry["unit"]) for entry in money["ledger"]] == [
        ("reserve", "55", "credit"), ("settle", "52.5", "credit"), ("release", "-55", "credit")
    ]  # fmt: skip
    [tried] = case["attempts"]
    assert (tried["token"], tried["remote_id"], tried["calls_back"]) == (attempt.token, attempt.remote_id, True)
    assert [(request["kind"], request["said"]) for request in tried["requests"]] == [
        ("create", "accepted"), ("query", "success")
    ]  # fmt: skip
    assert len(tried["requests"][0]["body_digest"]) == 64
    assert tried["callbacks"][0]["nonce"] == "n-1"
    assert case["timeline"][-1]["kind"] == "queued"
    [creation] = case["creations"]
    assert (creation["source_url"], creation["size"]) == ("https://cdn.example/clip.mp4?[…]", 18)
    assert len(creation["sha256"]) == 64
    assert case["times"]["finished_at"].endswith("Z")


def test_nothing_in_it_opens_a_door(task: Task, alice: User) -> None:
    client = signed_in(alice)
    attempt = task.attempt
    assert attempt is not None
    word = give_address(attempt).rstrip("/").rpartition("/")[2]
    VendorRequest.objects.filter(kind="query").update(excerpt=f"POST /callbacks/vidu/{word}/ {KEY_CANARY}")
    task.prompt_text = f"A boat that says {KEY_CANARY}"
    task.save()
    text = json.dumps(cases.case_of(task), ensure_ascii=False)
    session = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    for secret in (
        KEY_CANARY,
        CALLBACK_CANARY,
        LINK_CANARY,
        word,
        attempt.callback_digest,
        session,
        django_settings.SECRET_KEY,
    ):
        assert secret not in text
    assert task.key.secret_cipher not in text
    assert task.key.fingerprint not in text
    assert "canary" not in text.replace(task.key.masked, "")


def test_nobody_is_named(task: Task, alice: User) -> None:
    text = json.dumps(cases.case_of(task))
    assert "alice" not in text.lower()
    assert cases.case_of(task)["timeline"][-1]["by_a_person"] is True


def test_the_prompt_may_stay_at_home(task: Task) -> None:
    case = cases.case_of(task, prompt_text=False)
    assert case["prompt"] == {"sha256": Prompt.digest_of(task.prompt_text), "characters": len(task.prompt_text)}
    assert task.prompt_text not in texts(case)


def test_a_long_prompt_is_not_torn_apart(task: Task) -> None:
    task.prompt_text = "token abc123 " + "x" * 500 + " https://example.com/?look=this"
    assert cases.case_of(task)["prompt"]["text"] == task.prompt_text


def test_a_key_that_cannot_be_decrypted_stops_nothing(task: Task) -> None:
    ProviderKey.objects.update(secret_cipher="not a cipher")
    assert cases.case_of(Task.objects.get(pk=task.pk))["keys"]


def test_tried_with_two_keys(alice: User, task: Task) -> None:
    second = make_key("Second", "another-secret-canary-2")
    make_attempt(task, key=second)
    VendorRequest.objects.filter(kind="query").update(excerpt="another-secret-canary-2")
    case = cases.case_of(task)
    assert [key["label"] for key in case["keys"]] == ["Film", "Second"]
    assert "canary-2" not in json.dumps(case).replace(second.masked, "")


def test_its_price_does_not_grow_with_what_happened(
    task: Task, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        TaskEvent.objects.create(task=task, kind="processing", at=timezone.now() + timedelta(seconds=number))
        VendorRequest.objects.create(attempt=task.attempt, kind="list", said=f"word {number}")
        CallbackNotice.objects.create(attempt=task.attempt, provider="vidu", nonce=f"many-{number}")
    with django_assert_max_num_queries(9):
        cases.case_of(Task.objects.select_related("key", "attempt").get(pk=task.pk))


# --- The file -----------------------------------------------------------------------------------------------


def test_staff_get_a_file(task: Task, admin: User) -> None:
    answer = signed_in(admin).get(f"/tasks/{task.pk}/case/")
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == f'attachment; filename="videoforge-case-{task.pk.hex[-8:]}.json"'
    assert answer["Content-Type"] == "application/json"
    assert "no-store" in answer["Cache-Control"]
    body = answer.content.decode()
    assert json.loads(body)["task"]["id"] == str(task.pk)
    assert '\n  "task": {\n    "id"' in body
    assert "canary" not in body.replace(task.key.masked, "")
    short = signed_in(admin).get(f"/tasks/{task.pk}/case/", {"prompt": "no"})
    assert task.prompt_text not in short.content.decode()


def test_others_get_nothing(task: Task, alice: User, bob: User, admin: User) -> None:
    for person in (alice, bob):
        assert signed_in(person).get(f"/tasks/{task.pk}/case/").status_code == 404
    assert Client().get(f"/tasks/{task.pk}/case/").status_code == 302
    assert signed_in(admin).get(f"/tasks/{uuid4()}/case/").status_code == 404
    assert signed_in(admin).post(f"/tasks/{task.pk}/case/").status_code == 405
