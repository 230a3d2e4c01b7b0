"""Processes that die, one by one and all at once, and what stays behind of them: nothing."""

import os
import signal
import time

import httpx
import pytest

from tests.house import House, is_running, wait_for

pytestmark = pytest.mark.route


class TestDeath:
    """Killed at any moment and started again: everything goes on, nothing is sent twice."""

    def assert_all_settled_once(self, house: House, ids: list[str]) -> None:
        for task_id in ids:
            house.reaches(task_id, "succeeded", 90)
        payloads = house.payloads()
        assert len(payloads) == len(set(payloads)), "a create was sent twice"
        tokens = {
            token
            for (token,) in house.rows(
                "SELECT token FROM generations_attempt WHERE remote_id != '' AND provider = 'vidu'"
            )
        }
        assert tokens <= set(payloads)
        settled = house.rows("SELECT count(*), count(DISTINCT task_id) FROM generations_usageentry WHERE kind='settle'")
        assert settled[0][0] == settled[0][1]

    def test_every_worker_process_at_once(self, own_house: House) -> None:
        ids = own_house.generate("A calm sea", count="3")
        wait_for(lambda: own_house.state(ids[0]) in {"queued", "processing"}, what="running")
        for pid in own_house.members("worker"):
            os.kill(pid, signal.SIGKILL)
        self.assert_all_settled_once(own_house, ids)

    def test_each_worker_process_by_itself(self, own_house: House) -> None:
        """An idle worker that dies holding the queue's lock stops all others, though every process lives on."""
        for pid in own_house.members("worker")[2:]:
            os.kill(pid, signal.SIGKILL)
            time.sleep(0.3)
        ids = own_house.generate("A calm sea", count="2")
        self.assert_all_settled_once(own_house, ids)

    def test_web_and_sandbox(self, own_house: House) -> None:
        ids = own_house.generate("A calm sea", count="2")
        for part in ("web", "sandbox"):
            for pid in own_house.members(part):
                os.kill(pid, signal.SIGKILL)
        self.assert_all_settled_once(own_house, ids)
        wait_for(lambda: httpx.get(f"{own_house.url}/accounts/sign-in/").status_code == 200, what="web is back")

    def test_everything_and_a_second_start(self, own_house: House) -> None:
        ids = own_house.generate("A calm sea", count="2")
        pids = own_house.everyone()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert own_house.process is not None
        own_house.process.wait()
        own_house.log.write_text("")
        started = time.monotonic()
        own_house.start()
        assert time.monotonic() - started < 20
        self.assert_all_settled_once(own_house, ids)

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_stop_leaves_nobody_behind(self, own_house: House, number: signal.Signals) -> None:
        own_house.generate("A calm sea")
        pids = own_house.everyone()
        assert len(pids) > 6
        started = time.monotonic()
        assert own_house.stop(number) == 0
        assert time.monotonic() - started < 20
        assert not [pid for pid in pids if is_running(pid)]

    def test_the_parts_follow_a_killed_launcher(self, own_house: House) -> None:
        pids = own_house.everyone()
        assert own_house.process is not None
        os.kill(own_house.process.pid, signal.SIGKILL)
        own_house.process.wait()
        wait_for(lambda: not [pid for pid in pids if is_running(pid)], 30, what="everyone gone")
        own_house.process = None
