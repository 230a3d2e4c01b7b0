"""Faults on command: what each does to a request, that it is counted, and that it can be ended."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from generations.sandbox.books import Books
from generations.sandbox.faults import KINDS, BadPlan, Faults, read_plan

from .conftest import Customer, Running, running
from .vendors import BUYERS, Buyer

VENDORS = ["vidu", "dataeyes", "uniall", "xingchao", "vtrix"]


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    return Faults(Books(tmp_path / "books.sqlite3"))


class TestOrders:
    @pytest.mark.parametrize(
        "order",
        [
            [], 7, "x", {"nonsense": 1}, {"seed": "7"}, {"seed": True}, {"vendors": "vidu"}, {"vendors": [1]},
            {"hang_s": -1}, {"hang_s": "20"}, {"hang_s": float("nan")}, {"create": []}, {"create": {"500": 0.1}},
            {"read": {"429": 2}}, {"media": {"cut": "often"}}, {"create": {"429": 0.6, "hang": 0.6}},
        ],
    )  # fmt: skip
    def test_what_is_no_order_is_refused_and_changes_nothing(self, faults: Faults, order: object) -> None:
        faults.order({"create": {"429": 1}})
        with pytest.raises(BadPlan):
            faults.order(order)
        assert faults.plan.create == {"429": 1}

    def test_every_kind_is_taken_and_kept(self, faults: Faults) -> None:
        order = {area: dict.fromkeys(kinds, 0.1) for area, kinds in KINDS.items()}
        faults.order({"seed": 7, "vendors": ["vidu"], "hang_s": 1.5, **order})
        again = Faults(Books(faults.books.path)).plan
        assert again == faults.plan
        assert (again.seed, again.vendors, again.hang_s) == (7, ("vidu",), 1.5)
        assert all(getattr(again, area) == rates for area, rates in order.items())

    def test_an_empty_order_is_none(self) -> None:
        assert not any(read_plan({}).rates(area, "vidu") for area in KINDS)


class TestDraws:
    def drawn(self, tmp_path: Path, name: str, seed: int) -> list[str]:
        faults = Faults(Books(tmp_path / name))
        faults.order({"seed": seed, "create": {"429": 0.2, "hang": 0.2}})
        return [faults._pick("create", "vidu") for _ in range(200)]

    def test_the_same_seed_draws_the_same(self, tmp_path: Path) -> None:
        first = self.drawn(tmp_path, "a", 7)
        assert first == self.drawn(tmp_path, "b", 7)
        assert first != self.drawn(tmp_path, "c", 8)

    def test_rates_are_about_kept(self, tmp_path: Path) -> None:
        found = self.drawn(tmp_path, "a", 7)
        assert {kind: 20 < found.count(kind) < 60 for kind in ("429", "hang")} == {"429": True, "hang": True}
        assert found.count("") > 80

    def test_one_subject_has_one_fate(self, faults: Faults) -> None:
        faults.order({"media": {"norange": 0.5}})
        fates = [[faults.strikes("media", "norange", "vidu", str(n)) for n in range(50)] for _ in range(2)]
        assert fates[0] == fates[1]
        assert set(fates[0]) == {True, False}

    def test_other_vendors_are_left_alone(self, faults: Faults) -> None:
        faults.order({"vendors": ["vtrix"], "create": {"429": 1}})
        assert [faults._pick("create", name) for name in VENDORS] == ["", "", "", "", "429"]


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A sandbox of its own: faults would strike everybody's."""
    with running(tmp_path_factory.mktemp("troubled")) as started:
        yield started


@pytest.fixture
def someone(troubled: Running) -> Iterator[Customer]:
    person = Customer(troubled.url)
    yield person
    person.http.close()


@contextmanager
def faulty(sandbox: Running, **order: Any) -> Iterator[Callable[[], dict[str, dict[str, int]]]]:
    """Only inside the block; yields what tells the counts of faults done inside it."""
    address = f"{sandbox.url}/_sandbox/faults"
    before = httpx.get(address).json()["done"]

    def done() -> dict[str, dict[str, int]]:
        now = httpx.get(address).json()["done"]
        grown = {
            vendor: {k: n - before.get(vendor, {}).get(k, 0) for k, n in counts.items() if not k.endswith(".asked")}
            for vendor, counts in now.items()
        }
        return {
            vendor: {k: n for k, n in counts.items() if n} for vendor, counts in grown.items() if any(counts.values())
        }

    answer = httpx.post(address, json={"seed": 1, **order})
    assert answer.status_code == 200, answer.text
    try:
        yield done
    finally:
        assert httpx.post(address, json={}).status_code == 200


@pytest.mark.route
class TestCreates:
    def test_turned_away_in_every_vendors_words(self, troubled: Running) -> None:
        with faulty(troubled, create={"429": 1}) as done:
            answers = [Customer(troubled.url).create(), *(buyer(troubled.url).create() for buyer in BUYERS)]
            assert {answer.status_code for answer in answers} == {429}
            assert {answer.headers["retry-after"] for answer in answers} <= {"1", "2"}
            assert done() == {name: {"create.429": 2 if name == "uniall" else 1} for name in VENDORS}

    def test_500_before_books_nothing(self, troubled: Running, someone: Customer) -> None:
        with faulty(troubled, create={"500_before": 1}):
            assert someone.create().status_code == 500
        assert someone.listed() == []

    @pytest.mark.parametrize("kind", ["500_after", "drop_after", "html_after", "cut_after", "hang"])
    @pytest.mark.parametrize("vendor", [None, *BUYERS], ids=["vidu", *(buyer.__name__ for buyer in BUYERS)])
    def test_booked_all_the_same(self, troubled: Running, kind: str, vendor: type[Buyer] | None) -> None:
        buyer = vendor(troubled.url) if vendor else Customer(troubled.url)
        started = time.monotonic()
        with faulty(troubled, create={kind: 1}, hang_s=0.3) as done:
            if kind == "drop_after":
                with pytest.raises(httpx.RemoteProtocolError):
                    buyer.create()
            else:
                self.assert_spoilt(kind, buyer.create())
            assert list(done().values()) == [{f"create.{kind}": 1}]
        assert kind != "hang" or time.monotonic() - started > 0.3
        assert len(buyer.books()["tasks"]) == 1

    def assert_spoilt(self, kind: str, answer: httpx.Response) -> None:
        assert answer.status_code == (500 if kind == "500_after" else 200)
        if kind == "html_after":
            assert answer.headers["content-type"].startswith("text/html")
        if kind == "cut_after":
            with pytest.raises(json.JSONDecodeError):
                answer.json()
        if kind == "hang":
            assert answer.json()

    def test_a_refusal_is_not_spoilt(self, troubled: Running, someone: Customer) -> None:
        with faulty(troubled, create={"html_after": 1}) as done:
            assert someone.create(prompt="[policy]").status_code == 400
            assert someone.create(prompt="[lost500]").status_code == 500
            assert done() == {}

    def test_a_cancel_is_left_alone(self, troubled: Running, someone: Customer) -> None:
        task_id = someone.made(off_peak=True)
        with faulty(troubled, create={"500_before": 1}, read={"500": 1}):
            assert someone.http.post(f"/ent/v2/tasks/{task_id}/cancel", json={"id": task_id}).status_code == 200


@pytest.mark.route
class TestReads:
    @pytest.mark.parametrize(("kind", "status"), [("429", 429), ("500", 500), ("html", 200), ("cut", 200)])
    def test_a_read_goes_wrong_and_then_right(
        self, troubled: Running, someone: Customer, kind: str, status: int
    ) -> None:
        task_id = someone.made()
        paths = (f"/ent/v2/tasks/{task_id}/creations", "/ent/v2/tasks", "/ent/v2/credits")
        with faulty(troubled, read={kind: 1}) as done:
            for answer in map(someone.http.get, paths):
                assert answer.status_code == status
                if status == 200:
                    with pytest.raises(json.JSONDecodeError):
                        answer.json()
            assert done() == {"vidu": {f"read.{kind}": 3}}
        assert someone.query(task_id)["id"] == task_id

    def test_a_read_hangs(self, troubled: Running, someone: Customer) -> None:
        task_id = someone.made()
        with faulty(troubled, read={"hang": 1}, hang_s=1), pytest.raises(httpx.ReadTimeout):
            someone.http.get(f"/ent/v2/tasks/{task_id}/creations", timeout=0.2)


@pytest.mark.route
class TestMedia:
    def links(self, customer: Customer) -> dict[str, str]:
        creation: dict[str, str] = customer.finished(customer.made())["creations"][0]
        return creation

    def test_cut(self, troubled: Running, someone: Customer) -> None:
        url = self.links(someone)["url"]
        with faulty(troubled, media={"cut": 1}) as done:
            for headers in ({}, {"Range": "bytes=100-"}):
                with pytest.raises(httpx.RemoteProtocolError):
                    httpx.get(url, headers=headers)
            assert done() == {"vidu": {"media.cut": 2}}
        whole = httpx.get(url)
        assert len(whole.content) == int(whole.headers["content-length"])

    def test_the_first_link_is_dead_and_a_fresh_one_is_good(self, troubled: Running, someone: Customer) -> None:
        task_id = someone.made()
        old = someone.finished(task_id)["creations"][0]["url"]
        with faulty(troubled, media={"expired": 1}) as done:
            first = [httpx.get(old) for _ in range(2)]
            assert {(answer.status_code, "AccessDenied" in answer.text) for answer in first} == {(403, True)}
            fresh = someone.until(task_id, lambda found: bool(found["creations"][0]["url"] != old))
            assert httpx.get(fresh["creations"][0]["url"]).status_code == 200
            assert done() == {"vidu": {"media.expired": 2}}

    def test_ranges_are_ignored(self, troubled: Running, someone: Customer) -> None:
        url = self.links(someone)["url"]
        with faulty(troubled, media={"norange": 1}):
            answer = httpx.get(url, headers={"Range": "bytes=100-"})
            assert (answer.status_code, len(answer.content)) == (200, int(answer.headers["content-length"]))
            assert not {"accept-ranges", "content-range"} & set(answer.headers)
        assert httpx.get(url, headers={"Range": "bytes=100-"}).status_code == 206

    def test_slow(self, troubled: Running, someone: Customer) -> None:
        url, started = self.links(someone)["url"], time.monotonic()
        with faulty(troubled, media={"slow": 1}, hang_s=0.4):
            answer = httpx.get(url)
        assert len(answer.content) == int(answer.headers["content-length"])
        assert time.monotonic() - started > 0.4


@pytest.mark.route
class TestWords:
    def test_lost_before(self, someone: Customer) -> None:
        assert someone.create(prompt="[lost500before] one").status_code == 500
        assert someone.listed() == []
        assert someone.create(prompt="[lost500before] one").status_code == 200

    def test_hang_norange_and_trickle(self, troubled: Running, someone: Customer) -> None:
        with faulty(troubled, hang_s=0.4):
            started = time.monotonic()
            task_id = someone.made(prompt="[hang] [norange] [trickle]")
            assert time.monotonic() - started > 0.4
            url = someone.finished(task_id)["creations"][0]["url"]
            started = time.monotonic()
            answer = httpx.get(url, headers={"Range": "bytes=5-"})
            assert (answer.status_code, len(answer.content)) == (200, int(answer.headers["content-length"]))
            assert time.monotonic() - started > 0.4


@pytest.mark.route
class TestControls:
    def test_a_bad_order_says_why(self, troubled: Running) -> None:
        for body, why in (('{"create": {"429": 2}}', "create.429"), ("{", "JSON")):
            answer = httpx.post(
                f"{troubled.url}/_sandbox/faults", content=body, headers={"Content-Type": "application/json"}
            )
            assert (answer.status_code, why in answer.json()["error"]) == (400, True)

    def test_another_name_for_this_machine_is_refused(self, troubled: Running) -> None:
        for method in ("GET", "POST"):
            answer = httpx.request(method, f"{troubled.url}/_sandbox/faults", headers={"Host": "vendor.example"})
            assert answer.status_code == 403

    def test_a_restart_keeps_it_and_a_reset_clears_it(self, tmp_path: Path) -> None:
        with running(tmp_path) as first:
            assert httpx.post(f"{first.url}/_sandbox/faults", json={"create": {"500_before": 1}}).status_code == 200
            assert Customer(first.url).create().status_code == 500
        with running(tmp_path) as second:
            assert Customer(second.url).create().status_code == 500
            shown = httpx.get(f"{second.url}/_sandbox/faults").json()
            assert shown["done"] == {"vidu": {"create.500_before": 2, "create.asked": 2}}
            assert httpx.post(f"{second.url}/_sandbox/reset").status_code == 200
            shown = httpx.get(f"{second.url}/_sandbox/faults").json()
            assert (shown["order"]["create"], shown["done"]) == ({}, {})
            assert Customer(second.url).create().status_code == 200
        with running(tmp_path) as third:
            assert Customer(third.url).create().status_code == 200

    def test_many_hang_and_others_are_served(self, troubled: Running, someone: Customer) -> None:
        """As many as the engine would leave hanging at once."""
        import threading

        task_id = someone.made()
        with faulty(troubled, read={"hang": 1}, vendors=["vidu"], hang_s=2):
            path = f"/ent/v2/tasks/{task_id}/creations"
            waiting = [threading.Thread(target=someone.http.get, args=(path,)) for _ in range(40)]
            for thread in waiting:
                thread.start()
            started = time.monotonic()
            assert BUYERS[0](troubled.url).create().status_code == 200
            assert time.monotonic() - started < 1.5
            for thread in waiting:
                thread.join()
