"""The whole route with real processes: command, worker, HTTP hop to the sandbox, MP4 in our storage."""

import hashlib
import json
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from generations import archive
from tests.factories import picture_bytes
from tests.house import House, wait_for

pytestmark = pytest.mark.route


def creation_of(house: House, task_id: str) -> tuple[str, str, int, str, int, int, float]:
    (row,) = house.rows(
        "SELECT file, sha256, size, poster, width, height, seconds FROM generations_creation WHERE task_id = ?",
        task_id.replace("-", ""),
    )
    return row


def events_of(house: House, task_id: str) -> list[str]:
    query = "SELECT kind FROM generations_taskevent WHERE task_id = ? ORDER BY id"
    return [kind for (kind,) in house.rows(query, task_id.replace("-", ""))]


def failure_of(house: House, task_id: str) -> tuple[str, str, str]:
    query = "SELECT failure_class, failure_code, charge FROM generations_task WHERE id = ?"
    (row,) = house.rows(query, task_id.replace("-", ""))
    return row


def ledger_of(house: House, task_id: str) -> dict[str, Decimal]:
    query = "SELECT kind, amount FROM generations_usageentry WHERE task_id = ?"
    return {kind: Decimal(str(amount)) for kind, amount in house.rows(query, task_id.replace("-", ""))}


def test_a_prompt_becomes_an_archived_clip(house: House) -> None:
    (task_id,) = house.generate("A paper boat crosses a puddle, 纸船")
    house.reaches(task_id, "succeeded")
    file, sha256, size, poster, width, height, seconds = creation_of(house, task_id)
    path = house.data / "media" / file
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    assert path.stat().st_size == size
    assert archive.probe(path).seconds == pytest.approx(2, abs=0.2)
    assert width / height == pytest.approx(16 / 9, rel=0.03)
    assert seconds == pytest.approx(2, abs=0.2)
    assert (house.data / "media" / poster).read_bytes().startswith(b"\xff\xd8")
    steps = [kind for kind in events_of(house, task_id) if kind != "processing"]  # a fast clip may skip it
    assert steps == ["waiting", "submitting", "queued", "archiving", "succeeded"]
    assert ledger_of(house, task_id) == {"reserve": 14, "settle": 14, "release": -14}


def test_four_modes_reach_ready(house: House, tmp_path: Path) -> None:
    first, last = tmp_path / "first.jpg", tmp_path / "last.png"
    first.write_bytes(picture_bytes(640, 360))
    last.write_bytes(picture_bytes(640, 360, colour="#223344", fmt="PNG"))
    one = {"image": str(first), "aspect-ratio": ""}
    made = [
        *house.generate("She turns and waves", mode="img2video", **one),
        *house.generate("The lamp @Image1 turns", mode="reference2video", image=str(first), duration="3"),
    ]
    done = house.manage(
        "generate", "--user", "demo", "--key", "Sandbox studio", "--mode", "start-end2video",
        "--model", "viduq3-turbo", "--prompt", "Into flight", "--duration", "2", "--resolution", "540p",
        "--image", str(first), "--image", str(last),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for task_id in [*made, *done.stdout.split()]:
        house.reaches(task_id, "succeeded")


@pytest.mark.parametrize(
    ("prompt", "cls", "code"),
    [
        ("[policy] something refused", "content_policy", "TaskPromptPolicyViolation"),
        ("[violation] something refused in the end", "content_policy", "CreationPolicyViolation"),
        ("[fail] something that breaks", "provider_unknown", ""),
    ],
)
def test_a_failure_says_why_and_costs_nothing(house: House, prompt: str, cls: str, code: str) -> None:
    (task_id,) = house.generate(prompt)
    house.reaches(task_id, "failed")
    assert failure_of(house, task_id)[:2] == (cls, code)
    held = ledger_of(house, task_id)
    assert (held["settle"], held["reserve"] + held["release"]) == (0, 0)


@pytest.mark.parametrize("word", ["[nocover]", "[expired]", "[unknown]", "[throttle]", "[cut]", "[nourl]"])
def test_what_may_pass_passes(house: House, word: str) -> None:
    (task_id,) = house.generate(f"{word} a calm sea")
    house.reaches(task_id, "succeeded", 90)


@pytest.mark.parametrize("word", ["[html]", "[empty]"])
def test_what_is_no_clip_is_never_ready(house: House, word: str) -> None:
    (task_id,) = house.generate(f"{word} a calm sea")
    house.reaches(task_id, "archiving")
    query = "SELECT tries, file, last_error FROM generations_creation WHERE task_id = ?"
    key = task_id.replace("-", "")
    wait_for(lambda: house.rows(query, key)[0][0] >= 1, 30, what="a first try")
    _, file, error = house.rows(query, key)[0]
    assert file == ""
    assert error
    assert house.state(task_id) == "archiving"


@pytest.mark.parametrize("word", ["[lost]", "[lost500]"])
def test_a_lost_answer_is_looked_up_and_never_resent(house: House, word: str) -> None:
    (task_id,) = house.generate(f"{word} a calm sea")
    house.reaches(task_id, "uncertain")
    house.reaches(task_id, "succeeded", 90)
    attempts = house.rows("SELECT token FROM generations_attempt WHERE task_id = ?", task_id.replace("-", ""))
    assert len(attempts) == 1
    assert house.payloads().count(attempts[0][0]) == 1, "the vendor has it once"
    assert ledger_of(house, task_id) == {"reserve": 14, "settle": 14, "release": -14}


def test_bad_orders_are_refused_before_anything_is_sent(house: House, tmp_path: Path) -> None:
    svg = tmp_path / "x.png"
    svg.write_text("<svg/>")
    made = "SELECT count(*) FROM generations_task"
    before = house.rows(made)
    cases = {
        ("--duration", "99"): "duration",
        ("--resolution", "4k"): "resolution",
        ("--aspect-ratio", "2:1"): "aspect_ratio",
        ("--prompt", ""): "prompt",
        ("--prompt", "x" * 5001): "prompt",
        ("--model", "viduq9"): "model",
        ("--count", "50"): "count",
        ("--image", str(svg)): "image",
        ("--image", str(tmp_path / "none.png")): "image",
    }
    good = ["--user", "demo", "--key", "Sandbox studio", "--mode", "text2video", "--model", "viduq3-turbo"]
    good += ["--prompt", "A boat", "--duration", "2", "--resolution", "540p", "--aspect-ratio", "16:9"]
    for change, field in cases.items():
        done = house.manage("generate", *good, *change)
        assert done.returncode == 2, (change, done.stdout, done.stderr)
        assert field in done.stderr, (change, done.stderr)
        assert "Traceback" not in done.stderr
    assert house.rows(made) == before


def test_a_wrong_key_fails_the_task_and_is_flagged(house: House) -> None:
    secret = "wrong-key-without-any-value"
    done = house.manage("addkey", "vidu", "Wrong key", "--base-url", house.sandbox, given=f"{secret}\n")
    assert (done.returncode, done.stdout.strip()) == (0, "wro…alue")
    (task_id,) = house.generate("A boat", key="Wrong key")
    house.reaches(task_id, "failed")
    assert failure_of(house, task_id)[0] == "account_auth"
    (problem,) = house.rows("SELECT problem FROM generations_providerkey WHERE label = 'Wrong key'")[0]
    assert problem == "auth"
    leaks = [path for path in house.data.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert not leaks or {path.parts[-2] for path in leaks} == {"sandbox"}, "the secret stands nowhere in the clear"


def test_status_is_for_programs(house: House) -> None:
    found = house.status()
    assert set(found) == {
        "tasks", "creations", "next_deadline", "oldest_unarchived_s", "usage", "worker", "requests",
    }  # fmt: skip
    assert found["worker"]["alive"] is True
    assert {"create", "query", "list", "media"} <= set(found["requests"]["Sandbox studio"])
    assert set(found["usage"]["Sandbox studio"]["credit"]) == {"reserved", "settled"}
    assert {"stored", "pending", "lost"} == set(found["creations"])


def test_healthz_says_that_all_is_well(house: House) -> None:
    answer = httpx.get(f"{house.url}/healthz")
    late = [trouble for trouble in answer.json()["troubles"] if "late" not in trouble]
    assert not late, answer.text


def test_demo_is_safe_to_run_twice(house: House) -> None:
    counts = "SELECT (SELECT count(*) FROM generations_user), (SELECT count(*) FROM generations_batch)"
    before = house.rows(counts)
    assert house.manage("demo", "--sandbox-url", house.sandbox).returncode == 0
    assert house.rows(counts) == before


def test_verify_names_what_differs_and_what_is_missing(own_house: House) -> None:
    ids = [*own_house.generate("One"), *own_house.generate("Two")]
    for task_id in ids:
        own_house.reaches(task_id, "succeeded")
    assert own_house.manage("verify").returncode == 0
    one, two = (creation_of(own_house, task_id)[0] for task_id in ids)
    with (own_house.data / "media" / one).open("r+b") as file:
        file.write(b"\0\0\0\0\0\0\0\0")
    (own_house.data / "media" / two).unlink()
    done = own_house.manage("verify")
    assert done.returncode == 1
    assert f"differs: {one}" in done.stdout
    assert f"missing: {two}" in done.stdout


def test_requests_stay_far_below_one_a_task_and_look(house: House) -> None:
    found = house.status()["requests"]["Sandbox studio"]
    assert json.dumps(found)
    assert found["list"] + found["query"] < 40 * max(found["create"], 1)
