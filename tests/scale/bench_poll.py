"""How soon we know, and what it costs: the poller against a pretend vendor, ``make bench-poll``. Asserts nothing.

N tasks are under way at a vendor that takes 12 to 36 s for each and answers after one round trip. Measured is the time
from the vendor's success until it stands in our database, and how many requests a task took. One process polls, as
one worker does; the vendor is another. Beside it runs a replica of a common gateway's loop: a round every 15 s, one GET
at a time with a pause of 1 s after each, computed in virtual time from the same run times and round trip.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from statistics import mean
from typing import Any
from urllib.parse import parse_qs, urlsplit

RUN = (12.0, 36.0)  # seconds
LATE_START = 4.0  # seconds until all is set up; the vendor's clock and ours begin together
HANGING = "hang"


def run_seconds(number: int) -> float:
    return random.Random(number).uniform(*RUN)


# --- The pretend vendor ---------------------------------------------------------------------------------------


async def _serve(port: int, start: float, rtt: float, counts: Any) -> None:
    def state(number: int) -> str:
        return "success" if time.time() >= start + run_seconds(number) else "processing"

    def row(remote_id: str) -> dict[str, Any]:
        number = int(remote_id) - 10**15
        said = state(number)
        made = [{"id": "1", "url": "http://127.0.0.1:9/v.mp4"}] if said == "success" else []
        return {"id": remote_id, "state": said, "credits": 55, "creations": made, "model": "viduq3-turbo"}

    def job(remote_id: str) -> dict[str, Any]:
        number = int(remote_id.rpartition("-")[2])
        if state(number) == "success":
            video = {"type": "video", "url": "http://127.0.0.1:9/v.mp4", "jobId": "1"}
            done = {"output": [{"content": [video]}], "usage": {"cost": "0.1"}, "progress": 1}
            return {"id": remote_id, "status": "completed", **done}
        return {"id": remote_id, "status": "in_progress", "progress": 0.5}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                target = head.split(b" ", 2)[1].decode()
                with counts.get_lock():
                    counts.value += 1
                if HANGING in target:
                    await asyncio.sleep(3600)
                await asyncio.sleep(rtt)
                parts = urlsplit(target)
                if parts.path.endswith("/tasks"):
                    ids = parse_qs(parts.query)["task_ids"]
                    body: dict[str, Any] = {"next_page_token": "", "tasks": [row(each) for each in ids]}
                elif parts.path.endswith("/creations"):
                    body = row(parts.path.split("/")[-2])
                else:
                    body = job(parts.path.rpartition("/")[2])
                content = json.dumps(body).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
                writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(content), content))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


def vendor(port: int, start: float, rtt: float, counts: Any) -> None:
    asyncio.run(_serve(port, start, rtt, counts))


# --- Ours ---------------------------------------------------------------------------------------------------


def _tasks(slug: str, port: int, number: int, start: float, hanging: int) -> None:
    from django.utils import timezone

    from generations.models import Attempt, AttemptState, Batch, Pace, ProviderKey, Task, User

    owner = User.objects.create_user("bench", password=None)
    key = ProviderKey(label="Bench", provider=slug, base_url=f"http://127.0.0.1:{port}")
    key.set_secret("sandbox-not-a-real-key-0001")
    key.save()
    batch = Batch.objects.create(owner=owner, request_id="00000000-0000-7000-8000-000000000001", size=number)
    begun = timezone.now() + timedelta(seconds=start - time.time())
    low, high = RUN
    for resolution, duration in (("720p", 5), ("", 0)):
        Pace.objects.create(
            provider=slug, model="viduq3-turbo", mode="text2video", resolution=resolution, duration=duration, clips=50,
            p10=low + 0.1 * (high - low), p50=(low + high) / 2, p90=low + 0.9 * (high - low),
        )  # fmt: skip
    unit = key.translator.unit.value
    made = Task.objects.bulk_create(
        Task(
            owner=owner, batch=batch, position=place, key=key, provider=slug, mode="text2video", model="viduq3-turbo",
            wire_model="viduq3-turbo", prompt_text="x", duration=5, resolution="720p", unit=unit, state="queued",
            submitted_at=begun, next_poll_at=begun + timedelta(seconds=3),
        )
        for place in range(number + hanging)
    )  # fmt: skip
    attempts = Attempt.objects.bulk_create(
        Attempt(
            task=task, number=1, key=key, provider=slug, base_url=key.base_url, token=Attempt.make_token(),
            state=AttemptState.ACCEPTED, remote_id=_remote_id(slug, place, number), sent_at=begun,
        )
        for place, task in enumerate(made)
    )  # fmt: skip
    for task, attempt in zip(made, attempts, strict=True):
        task.attempt = attempt
    Task.objects.bulk_update(made, ["attempt"], batch_size=200)


def _remote_id(slug: str, place: int, number: int) -> str:
    if place >= number:
        return f"{HANGING}-{place}"
    return str(10**15 + place) if slug == "vidu" else f"video-{place}"


def ours(slug: str, number: int, rtt: float, hanging: int = 0) -> dict[str, float]:
    """Delays in seconds and requests a task, of one run in a database of its own."""
    from django.core.management import call_command
    from django.utils import timezone

    from generations import polling, rounds
    from generations.models import Task

    call_command("migrate", interactive=False, verbosity=0)
    port, counts = _free_port(), multiprocessing.Value("L", 0)
    setup = max(LATE_START, number / 500)
    start = time.time() + setup
    process = multiprocessing.Process(target=vendor, args=(port, start, rtt, counts), daemon=True)
    process.start()
    _tasks(slug, port, number, start, hanging)
    time.sleep(max(0.0, start - time.time()))
    cpu = time.process_time()
    with polling.Poller() as poller:
        end = start + RUN[1] + 240
        while time.time() < end and Task.objects.filter(made_at__isnull=True).count() > hanging:
            began = time.monotonic()
            poller.ask_due()
            rounds._rest(poller, began + rounds.ROUND_SECONDS)
    cpu = time.process_time() - cpu
    process.terminate()
    begun = timezone.now() + timedelta(seconds=start - time.time())
    rows = Task.objects.filter(made_at__isnull=False).values_list("position", "made_at")
    delays = sorted((at - begun).total_seconds() - run_seconds(place) for place, at in rows)
    return _figures(delays, counts.value, number, cpu)


def _figures(delays: list[float], requests: int, number: int, cpu: float) -> dict[str, float]:
    return {
        "known": len(delays),
        "mean": mean(delays),
        "p95": delays[int(0.95 * (len(delays) - 1))],
        "p99": delays[int(0.99 * (len(delays) - 1))],
        "requests a task": requests / number,
        "per 100 s of run": requests / number * 100 / mean(RUN),
        "cpu s": cpu,
    }


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- The replica --------------------------------------------------------------------------------------------


def replica(number: int, rtt: float) -> dict[str, float]:
    """Rounds every 15 s, oldest first, one GET at a time, 1 s between them; the clock is computed, not waited for."""
    clock, requests, open_tasks, delays = 0.0, 0, list(range(number)), []
    while open_tasks:
        began, left = clock, []
        for task in open_tasks[:1000]:
            clock += rtt
            requests += 1
            if clock >= run_seconds(task):
                delays.append(clock - run_seconds(task))
            else:
                left.append(task)
            clock += 1.0
        open_tasks = left + open_tasks[1000:]
        clock = max(clock, began + 15.0)
        clock += (-clock) % 15.0
    return _figures(sorted(delays), requests, number, 0.0)


def cases(wanted: str) -> Iterator[tuple[str, str, int, float, int]]:
    for number in (int(each) for each in wanted.split(",")):
        for rtt in (0.05, 0.2):
            yield ("Vidu (list)", "vidu", number, rtt, 0)
            yield ("Vtrix (GET only)", "vtrix", number, rtt, 0)
    yield ("Vtrix, 20 hang", "vtrix", 100, 0.2, 20)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--numbers", default="100,1000,5000")
    given = parser.parse_args()
    _say(f"{'':32} {'known':>6} {'mean':>7} {'p95':>7} {'p99':>7} {'req/task':>9} {'per 100 s':>10} {'cpu s':>6}")
    for name, slug, number, rtt, hanging in cases(given.numbers):
        _print(f"{name}, N={number}, {rtt * 1000:.0f} ms", _alone(slug, number, rtt, hanging))
    for number in (int(each) for each in given.numbers.split(",")):
        for rtt in (0.05, 0.2):
            _print(f"replica, N={number}, {rtt * 1000:.0f} ms", replica(number, rtt))


def _alone(slug: str, number: int, rtt: float, hanging: int) -> dict[str, float]:
    """In a process of its own with a data folder of its own."""
    with tempfile.TemporaryDirectory(prefix="videoforge-bench-") as folder:
        result = Path(folder) / "figures.json"
        process = multiprocessing.get_context("spawn").Process(
            target=_run, args=(folder, str(result), slug, number, rtt, hanging)
        )
        process.start()
        process.join()
        found: dict[str, float] = json.loads(result.read_text())
        return found


def _run(folder: str, result: str, *case: Any) -> None:
    os.environ |= {"VIDEOFORGE_DATA": folder, "DJANGO_SETTINGS_MODULE": "videoforge.settings"}
    import logging

    import django

    django.setup()
    logging.getLogger("videoforge").setLevel(logging.ERROR)  # what hangs on purpose is no news
    Path(result).write_text(json.dumps(ours(*case)))


def _print(name: str, found: dict[str, float]) -> None:
    _say(
        f"{name:32} {found['known']:6.0f} {found['mean']:7.2f} {found['p95']:7.2f} {found['p99']:7.2f}"
        f" {found['requests a task']:9.2f} {found['per 100 s of run']:10.2f} {found['cpu s']:6.1f}"
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
