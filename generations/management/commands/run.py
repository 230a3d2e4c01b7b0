"""Web, worker and sandbox together under one foreground process.

Each part gets a session of its own and is stopped by a signal to its main process alone: a SIGTERM to the whole
group can hang the worker. A part that dies is started again; whatever its death left behind is swept out first.
If this process itself is killed, the kernel passes the news on to the parts (parent-death signal).
"""

import contextlib
import ctypes
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from generations import alerts, delivery, health

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 20.0
START_SECONDS = 60.0
RESTART_PAUSE = 1.0  # doubled while a part keeps dying, up to:
RESTART_PAUSE_AT_MOST = 30.0
STEADY_AFTER = 60.0  # alive this long: the next death is a first one again
WATCH_EVERY = 5.0
SILENT_SECONDS = 30.0  # no heartbeat or no job run for so long: wedged, however alive it looks


def _die_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Part:
    name: str
    command: list[str]
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    pause: float = RESTART_PAUSE
    start_at: float = 0.0
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own commands
            self.command,
            start_new_session=True,
            preexec_fn=_die_with_parent,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
        )
        self.started_at = time.monotonic()

    def died(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def clear_away(self) -> None:
        """Kill what a dead main process left behind in its session."""
        if self.process is not None:
            for pid in _session_members(self.process.pid):
                _signal(pid, signal.SIGKILL)

    def plan_restart(self) -> None:
        steady = time.monotonic() - self.started_at > STEADY_AFTER
        self.pause = RESTART_PAUSE if steady else min(self.pause * 2, RESTART_PAUSE_AT_MOST)
        self.start_at = time.monotonic() + self.pause
        self.process = None


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _session_members(session: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # Behind the name in brackets: state, parent, group, session.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(entry.name))
    return found


class Command(BaseCommand):
    help = "Start web, worker and sandbox together, with demo data; Ctrl-C stops all."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="no demo people, keys and sandbox")
        parser.add_argument("--sandbox-port", type=int, default=int(os.environ.get("SANDBOX_PORT", "8900")))

    def handle(self, *args: Any, **options: Any) -> None:
        self.stopping, self.silent = False, 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        demo = not options["no_demo"]
        _refuse_taken_port(settings.HOST, settings.PORT, "PORT")
        if demo:
            _refuse_taken_port("127.0.0.1", options["sandbox_port"], "SANDBOX_PORT")
        self._prepare(demo, options["sandbox_port"])
        connection.close()
        self.parts = _parts(demo, options["sandbox_port"])
        try:
            self._run(demo, options["sandbox_port"])
        finally:
            self._stop_all()

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _prepare(self, demo: bool, sandbox_port: int) -> None:
        self._say("Preparing database and files ...")
        quiet = io.StringIO()
        call_command("check", tags=["videoforge"], stdout=quiet)
        call_command("migrate", interactive=False, verbosity=0)
        _collect_static()
        if demo:
            call_command("demo", sandbox_url=f"http://127.0.0.1:{sandbox_port}", stdout=quiet)

    def _run(self, demo: bool, sandbox_port: int) -> None:
        for part in self.parts:
            part.start()
        if self._wait_until_up():
            self._greet(demo, sandbox_port)
        watch_at = time.monotonic() + SILENT_SECONDS
        while not self.stopping:
            time.sleep(0.3)
            self._restart_dead()
            if time.monotonic() >= watch_at:
                watch_at = time.monotonic() + WATCH_EVERY
                self._watch_worker()

    def _wait_until_up(self) -> bool:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and not self.stopping:
            self._restart_dead()
            if _answers(f"http://{_reachable(settings.HOST)}:{settings.PORT}/accounts/sign-in/"):
                return True
            time.sleep(0.1)
        return False

    def _greet(self, demo: bool, sandbox_port: int) -> None:
        self._say(f"\nVideoForge is running at http://{_by_name(settings.HOST)}:{settings.PORT}/")
        if demo:
            password = (Path(settings.VIDEOFORGE_DATA) / "demo_password").read_text().strip()
            self._say(f"Sign in as demo with the password {password} (also: mei, tom; demo may open /admin/)")
        for part in self.parts:
            self._say(f"  {part.name:<8} process {part.process.pid if part.process else '-'}")
        if demo:
            self._say(f"The sandbox at http://127.0.0.1:{sandbox_port} plays the vendor; nothing here costs money.")
        self._say("Ctrl-C stops everything; the data stays in " + str(settings.VIDEOFORGE_DATA))

    def _restart_dead(self) -> None:
        for part in self.parts:
            if part.died():
                code = part.process.returncode if part.process else None
                self._say(f"{part.name} ended ({code}); starting it again")
                part.clear_away()
                part.plan_restart()
            elif part.process is None and time.monotonic() >= part.start_at and not self.stopping:
                part.start()

    def _watch_worker(self) -> None:
        """A worker can be wedged although its processes live; its heartbeat tells."""
        worker = next(part for part in self.parts if part.name == "worker")
        beat = health.last_beat()
        connection.close()
        running = worker.process is not None and time.monotonic() - worker.started_at > SILENT_SECONDS
        if running and (beat is None or (timezone.now() - beat).total_seconds() > SILENT_SECONDS):
            self.silent += 1
            self._tell_of_silence(beat)
            # Twice in a row: after a pause of the whole machine the first look finds an old beat only.
            if self.silent > 1:
                self._say("The worker gives no sign of life; starting it anew")
                worker.clear_away()
        else:
            self.silent = 0

    def _tell_of_silence(self, beat: datetime | None) -> None:
        """Who could mail it is silent itself. In a thread: a mail server may take its time."""
        alert = alerts.worker_is_silent(beat, timezone.now()) if beat else None
        connection.close()
        if alert is not None:
            threading.Thread(target=_deliver, args=(alert.pk,), daemon=True).start()

    def _stop_all(self) -> None:
        running = [part for part in self.parts if part.process is not None]
        for part in running:
            if part.process is not None:
                _signal(part.process.pid, signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        while time.monotonic() < end and any(not part.died() for part in running):
            time.sleep(0.05)
        for part in running:
            part.clear_away()
            if part.process is not None:
                part.process.wait()
        self._say("Stopped.")


def _parts(demo: bool, sandbox_port: int) -> list[Part]:
    python, manage = sys.executable, str(settings.BASE_DIR / "manage.py")
    web = [python, "-m", "gunicorn", "videoforge.wsgi:application"]
    web += ["--bind", f"{settings.HOST}:{settings.PORT}", "--worker-class", "gthread", "--workers", "2"]
    # Threads are what slow viewers of clips use up.
    web += ["--threads", "32", "--preload", "--graceful-timeout", "3", "--log-level", "warning", "--no-control-socket"]
    web += ["--worker-tmp-dir", _memory_folder(), "--chdir", str(settings.BASE_DIR)]
    parts = [Part("web", web), Part("worker", [python, manage, "qcluster"])]
    if demo:
        sandbox = [python, manage, "sandbox", "--port", str(sandbox_port)]
        sandbox += ["--speed", os.environ.get("SANDBOX_SPEED", "1")]
        if os.environ.get("SANDBOX_CLIP_HEIGHT"):
            sandbox += ["--clip-height", os.environ["SANDBOX_CLIP_HEIGHT"]]
        parts.append(Part("sandbox", sandbox))
    return parts


def _memory_folder() -> str:
    """Where gunicorn's workers note that they live: on a busy disk that note could come too late."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"  # noqa: S108 - only a folder for empty files


def _collect_static() -> None:
    """Gather static files, unless nothing has changed since the last time."""
    stamp = Path(settings.STATIC_ROOT) / ".stamp"
    newest = _static_version()
    if not stamp.exists() or stamp.read_text() != newest:
        call_command("collectstatic", interactive=False, verbosity=0, clear=True)
        stamp.write_text(newest)


def _static_version() -> str:
    folders = [*map(Path, settings.STATICFILES_DIRS)]
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    lock = settings.BASE_DIR / "requirements" / "run.txt"
    return str(sorted((str(file), file.stat().st_mtime_ns) for file in [*files, lock] if file.exists()))


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound


def _by_name(host: str) -> str:
    """For people: a passkey belongs to a host name, and 127.0.0.1 is none."""
    return "localhost" if _reachable(host) == "127.0.0.1" else host


def _deliver(alert_id: int) -> None:
    try:
        delivery.deliver(alert_id)
    finally:
        connection.close()


def _refuse_taken_port(host: str, port: int, variable: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Port {port} on {host} cannot be used ({error.strerror}). "
                f"Stop what runs there, or choose another: {variable}={port + 1} make run"
            ) from None


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2):  # noqa: S310 - our own address
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
