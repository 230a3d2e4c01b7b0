"""How fast we copy finished clips, beside curl doing the same: ``make bench-archive``. Prints figures, asserts nothing.

A hundred files of 8 MB come from loopback. Ours is the real ``archive.download``: hashed, length compared, synced.
curl only writes; its second figure has a sync behind it, because without one nothing is on the disk. "worker" is all
that a worker does for a clip but the database: part, download, probe, still, its final name.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from tests.clips import make_clip
from tests.house import ROOT, free_port, wait_for

FILES, SIZE, ROUNDS = 100, 8 * 1024**2, 5
AT_ONCE = (3, 16)
MB = 1_000_000
NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; user root;
events {{ worker_connections 256; }}
http {{ access_log off; sendfile on; {temporary} server {{ listen 127.0.0.1:{port}; root {folder}/source; }} }}
"""
Ways = dict[str, Callable[[Path], tuple[float, float]]]  # each copies all files; seconds and peak in MB
Found = dict[str, list[tuple[float, float]]]
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
# A process of its own for each run, so that its peak memory is its own.
RUN = "from tests.scale import bench_archive; bench_archive.run({how!r}, {at_once}, {url!r}, {folder!r})"


def make_files(folder: Path) -> None:
    """Real clips, so that they can be probed, filled up to their size with a box that players skip."""
    clip = make_clip(folder / "clip.mp4", seconds=2, width=640, height=360)
    (folder / "clip.mp4").unlink()
    filling = SIZE - len(clip)
    for number in range(FILES):
        rest = filling.to_bytes(4, "big") + b"free" + os.urandom(filling - 8)
        (folder / f"{number}.mp4").write_bytes(clip + rest)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    port, nginx = free_port(), shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx:
        temporary = " ".join(f"{name}_temp_path {folder}/temporary;" for name in TEMPORARY)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, temporary=temporary))
        command = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    else:
        command = [sys.executable, "-m", "tests.scale.bench_archive", str(port), str(folder / "source")]
    process = subprocess.Popen(command, cwd=ROOT)
    _say(f"served by {'nginx' if nginx else 'a small server with sendfile'}")
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(
            lambda: subprocess.run(["curl", "-sf", "-o", "/dev/null", f"{url}/0.mp4"], check=False).returncode == 0
        )
        yield url
    finally:
        process.terminate()
        process.wait()


def serve(port: int, folder: Path) -> None:
    """Where there is no nginx: one thread a connection, bytes by sendfile."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with (folder / Path(self.path).name).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                self.send_response(200)
                self.send_header("Content-Length", str(size))
                self.send_header("ETag", f'"{size}"')
                self.end_headers()
                self.wfile.flush()
                self.connection.sendfile(file)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 64

    Server(("127.0.0.1", port), Handler).serve_forever()


def peak_mb(pid: int) -> float:
    """Not from ``rusage``: that begins with the memory of whoever started the process."""
    found = re.search(r"^VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def run(how: str, at_once: int, url: str, folder: str) -> None:
    """In its own process: copy all files and print seconds and peak memory."""
    from django.conf import settings
    from django.core.files.storage import FileSystemStorage

    settings.configure()
    from generations import archive
    from generations.guard import Guard

    storage, here = FileSystemStorage(location=folder), Guard({"127.0.0.1"})

    def download(number: int) -> None:
        archive.download(f"{url}/{number}.mp4", Path(folder, f"{number}.part"), guard=here)

    def worker(number: int) -> None:
        with archive.hold(Path(folder, ".incoming", f"{number}.part")) as part:
            archive.check_room(part.path.parent)
            archive.download(f"{url}/{number}.mp4", part, guard=here)
            archive.probe(part.path)
            archive.still(part.path)
            archive.place(part.path, storage, f"clips/{number}.mp4")
            part.discard()

    started = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map({"download": download, "worker": worker}[how], range(FILES)))
    _say(f"{time.monotonic() - started} {peak_mb(os.getpid())}")


def ours(how: str, at_once: int, url: str, folder: Path) -> tuple[float, float]:
    code = RUN.format(how=how, at_once=at_once, url=url, folder=str(folder))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory


def curl(at_once: int, url: str, folder: Path, *, sync: bool) -> tuple[float, float]:
    lines = [f'url = "{url}/{number}.mp4"\noutput = "{folder}/{number}.mp4"' for number in range(FILES)]
    (folder / "list").write_text("\n".join(lines))
    command = ["curl", "-sS", "--parallel", "--parallel-immediate", "--parallel-max", str(at_once)]
    started, peak = time.monotonic(), 0.0
    process = subprocess.Popen([*command, "-K", str(folder / "list")], stderr=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, peak_mb(process.pid))
        time.sleep(0.01)
    if sync:
        os.sync()
    return time.monotonic() - started, peak


def measure(
    ways: dict[str, Callable[[Path], tuple[float, float]]], folder: Path
) -> dict[str, list[tuple[float, float]]]:
    """By turns, so that what else the machine does strikes all of them."""
    found: Found = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            into = folder / "copies"
            into.mkdir()
            os.sync()
            found[name].append(way(into))
            shutil.rmtree(into)
    return found


def show(at_once: int, found: Found) -> None:
    total = FILES * SIZE / MB
    yardstick = median(total / seconds for seconds, _ in found["curl"])
    for name, runs in found.items():
        speeds = sorted(total / seconds for seconds, _ in runs)
        speed, memory = median(speeds), max(memory for _, memory in runs)
        spread = f"{speeds[0]:.0f}-{speeds[-1]:.0f}"
        ratio = f"{speed / yardstick:.2f} of curl"
        _say(f"{at_once:2} at a time  {name:14} {speed:5.0f} MB/s ({spread:9})  {ratio}  peak {memory:4.0f} MB")


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="videoforge-bench-", dir=os.environ.get("BENCH_FOLDER")))
    try:
        (folder / "source").mkdir()
        make_files(folder / "source")
        _say(f"{FILES} files of {SIZE / MB:.1f} MB, median of {ROUNDS} runs by turns, {os.cpu_count()} cores")
        with served(folder) as url:
            for at_once in AT_ONCE:
                ways = {
                    "curl": partial(curl, at_once, url, sync=False),
                    "curl, synced": partial(curl, at_once, url, sync=True),
                    "ours": partial(ours, "download", at_once, url),
                    "ours, worker": partial(ours, "worker", at_once, url),
                }
                show(at_once, measure(ways, folder))
    finally:
        shutil.rmtree(folder)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(int(sys.argv[1]), Path(sys.argv[2]))
    else:
        main()
