"""Keys outside the route of a task: added, tested, used to cancel; a problem is noticed and forgotten by itself."""

from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
import respx
from django.core.management import call_command
from django.utils import timezone
from django_q.models import OrmQ

from generations import evidence, keys, saving, sweep
from generations.models import Lease, ProviderKey, RequestCount, Task, User, VendorAddress
from generations.providers.base import CallKind, FailureClass
from tests.factories import SECRET, make_key, make_task

pytestmark = pytest.mark.django_db
VIDU = "https://api.vidu.com"
CREDITS = f"{VIDU}/ent/v2/credits"
OTHER = "sandbox-not-a-real-key-0002"


def balance(credits: int) -> httpx.Response:
    remain = {"type": "metered", "credit_remain": credits, "concurrency_limit": 5}
    return httpx.Response(200, json={"remains": [remain], "packages": []})


def refusal(status: int, reason: str) -> httpx.Response:
    return httpx.Response(status, json={"code": status, "reason": reason, "message": f"about {reason}"})


class TestAdd:
    def test_a_key_gets_the_vendors_address(self) -> None:
        key = keys.add(provider="vidu", label="Studio", secret=SECRET)
        assert (key.base_url, key.account().secret) == (VIDU, SECRET)

    @pytest.mark.parametrize(
        ("over", "said"),
        [
            ({"provider": "nobody"}, "no provider"),
            ({"secret": ""}, "empty or too short"),
            ({"secret": "two words in it"}, "spaces"),
            ({"label": "Taken"}, "exists already"),
            ({"secret": OTHER}, "“Taken” has this secret already"),
            ({"base_url": "https://elsewhere.example"}, "is no address of Vidu"),
            ({"base_url": "http://api.vidu.com"}, "https"),
            ({"base_url": "https://user:word@api.vidu.com"}, "without a user name"),
        ],
    )
    def test_what_is_wrong_is_said_without_the_secret(self, over: dict[str, str], said: str) -> None:
        make_key("Taken", secret=OTHER)
        with pytest.raises(ValueError, match=said) as caught:
            keys.add(**{"provider": "vidu", "label": "Studio", "secret": SECRET, **over})
        assert SECRET not in str(caught.value)
        assert OTHER not in str(caught.value)

    def test_an_added_address_is_taken_without_its_slash(self) -> None:
        VendorAddress.objects.create(provider="vidu", base_url="https://elsewhere.example/vidu")
        key = keys.add(provider="vidu", label="Studio", secret=SECRET, base_url="https://elsewhere.example/vidu/")
        assert key.base_url == "https://elsewhere.example/vidu"

    def test_the_command_refuses_an_address_in_one_line(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("VIDEOFORGE_KEY_SECRET", SECRET)
        with pytest.raises(SystemExit) as end:
            call_command("addkey", "vidu", "Studio", base_url="https://elsewhere.example")
        said = capsys.readouterr().err
        assert end.value.code == 2
        assert said.count("\n") == 1
        assert "https://elsewhere.example is no address of Vidu" in said
        assert SECRET not in said
        assert not ProviderKey.objects.exists()

    def test_the_command_adds_a_key_and_shows_its_mask(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("VIDEOFORGE_KEY_SECRET", SECRET)
        call_command("addkey", "vidu", "Studio")
        assert ProviderKey.objects.get().base_url == VIDU
        assert capsys.readouterr().out.strip() == "san…0001"


class TestTest:
    @respx.mock
    def test_a_good_key_shows_its_balance(self) -> None:
        key = make_key(base_url=VIDU, problem="auth")
        route = respx.get(CREDITS).mock(return_value=balance(9945))
        assert keys.test(key.pk) is None
        key.refresh_from_db()
        assert (key.balance, key.problem) == (Decimal(9945), "")
        assert key.last_ok_at is not None
        assert route.calls.last.request.headers["Authorization"] == f"Token {SECRET}"
        assert RequestCount.objects.get(kind="balance").count == 1

    @respx.mock
    def test_a_bad_key_is_flagged(self) -> None:
        key = make_key(base_url=VIDU)
        respx.get(CREDITS).mock(return_value=refusal(401, "Unauthorized"))
        failure = keys.test(key.pk)
        key.refresh_from_db()
        assert failure is not None
        assert (failure.cls, key.problem) == (FailureClass.ACCOUNT_AUTH, "auth")
        assert key.last_error
        assert SECRET not in key.last_error

    @respx.mock
    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_busy_vendor_says_nothing_of_the_key(self, status: int) -> None:
        key = make_key(base_url=VIDU)
        respx.get(CREDITS).mock(return_value=refusal(status, "SystemThrottling"))
        keys.test(key.pk)
        key.refresh_from_db()
        assert key.problem == ""
        assert key.takes_new_work

    @respx.mock
    def test_a_top_up_is_noticed_by_itself(self) -> None:
        key = make_key(base_url=VIDU, problem="credits", problem_at=timezone.now() - timedelta(minutes=6))
        respx.get(CREDITS).mock(side_effect=[balance(0), balance(500)])
        for problem in ("credits", ""):
            assert sweep.retest_keys() == 1
            assert sweep.retest_keys() == 0, "asked now and then, not at every sweep"
            assert OrmQ.objects.count() == 1
            OrmQ.objects.all().delete()
            keys.test(key.pk)
            key.refresh_from_db()
            assert key.problem == problem
            ProviderKey.objects.filter(pk=key.pk).update(problem_at=timezone.now() - timedelta(minutes=6))


def asked() -> list[str]:
    """The jobs that wait, and none afterwards."""
    found = [row.func() for row in OrmQ.objects.all()]
    OrmQ.objects.all().delete()
    return found


def later(**pause: int) -> None:
    """Time goes by for the leases and figures of all keys."""
    past = timezone.now() - timedelta(**pause)
    Lease.objects.update(until=past)
    ProviderKey.objects.exclude(balance_at=None).update(balance_at=past)


class TestFigures:
    """What the vendor tells of an account: kept with its time, asked for now and then, never in the way."""

    @respx.mock
    def test_all_that_a_balance_tells_is_kept(self) -> None:
        key = make_key(base_url=VIDU)
        body = {
            "remains": [
                {
                    "type": "metered", "credit_remain": 9945, "concurrency_limit": 5,
                    "current_concurrency": 2, "queue_count": 1,
                }
            ],
            "packages": [],
        }  # fmt: skip
        respx.get(CREDITS).mock(return_value=httpx.Response(200, json=body))
        keys.test(key.pk)
        key.refresh_from_db()
        told = (key.balance, key.concurrency_limit, key.vendor_running, key.vendor_queued)
        assert told == (Decimal(9945), 5, 2, 1)
        assert key.balance_at is not None

    @respx.mock
    def test_figures_of_one_age_stand_together(self) -> None:
        key = make_key(base_url=VIDU, vendor_running=9, vendor_queued=9)
        respx.get(CREDITS).mock(return_value=balance(7))
        keys.test(key.pk)
        key.refresh_from_db()
        assert (key.balance, key.concurrency_limit) == (Decimal(7), 5)
        assert 9 not in (key.vendor_running, key.vendor_queued)

    def test_a_key_at_work_is_asked_every_ten_minutes_others_every_hour(self) -> None:
        busy = make_key("Busy", last_used_at=timezone.now())
        idle = make_key("Idle", last_used_at=timezone.now() - timedelta(days=2))
        assert sweep.refresh_figures() == 2
        assert len(asked()) == 2
        assert sweep.refresh_figures() == 0, "asked, and not answered yet"
        ProviderKey.objects.update(balance_at=timezone.now())
        later(minutes=11)
        assert sweep.refresh_figures() == 1
        assert Lease.objects.filter(key=f"figures-at-work-{busy.pk}", until__gt=timezone.now()).exists()
        later(minutes=61)
        assert sweep.refresh_figures() == 2
        assert Lease.objects.filter(key=f"figures-idle-{idle.pk}", until__gt=timezone.now()).exists()

    def test_fresh_figures_are_not_asked_for(self) -> None:
        make_key(balance_at=timezone.now() - timedelta(minutes=5), last_used_at=timezone.now())
        assert sweep.refresh_figures() == 0

    @pytest.mark.parametrize(
        "over", [{"state": "draining"}, {"state": "disabled"}, {"problem": "auth"}, {"provider": "vtrix"}]
    )
    def test_only_keys_that_take_work_where_the_vendor_tells(self, over: dict[str, str]) -> None:
        make_key(**over)
        assert sweep.refresh_figures() == 0

    def test_two_workers_do_not_both_ask(self) -> None:
        key = make_key()
        first = ProviderKey.objects.get(pk=key.pk)
        assert sweep._ask_figures(first, "idle", timedelta(hours=1))
        assert not sweep._ask_figures(key, "idle", timedelta(hours=1))
        assert len(asked()) == 1

    def test_asking_is_no_use_of_the_key(self) -> None:
        key = make_key()
        evidence.count(key, CallKind.BALANCE)
        key.refresh_from_db()
        assert key.last_used_at is None
        evidence.count(key, CallKind.QUERY)
        key.refresh_from_db()
        assert key.last_used_at is not None

    @respx.mock
    @pytest.mark.parametrize("status", [401, 403, 429, 500])
    def test_a_failed_refresh_is_noted_and_stops_nothing(self, status: int) -> None:
        key = make_key(base_url=VIDU, balance=5)
        respx.get(CREDITS).mock(return_value=refusal(status, "Unauthorized"))
        keys.refresh(key.pk)
        key.refresh_from_db()
        assert key.last_error
        assert key.takes_new_work
        assert key.balance == 5

    @respx.mock
    def test_a_refresh_brings_the_figures(self) -> None:
        key = make_key(base_url=VIDU)
        respx.get(CREDITS).mock(return_value=balance(12))
        keys.refresh(key.pk)
        key.refresh_from_db()
        assert key.balance == 12

    def test_a_key_that_is_gone_is_no_trouble(self) -> None:
        keys.refresh(4711)

    def test_trouble_in_one_part_of_the_sweep_leaves_none_undone(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        done: list[str] = []
        names = ("ask_for_pulse", "wake_unsent", "name_uncertain", "look_for_lost", "retest_keys")
        for name in names:
            monkeypatch.setattr(sweep, name, lambda name=name: done.append(name))
        monkeypatch.setattr(saving, "wake_next", lambda: done.append("saving"))

        def explode() -> int:
            raise RuntimeError("a row nobody thought of")

        monkeypatch.setattr(sweep, "wake_unsent", explode)
        sweep.sweep()
        assert {*names, "saving"} - set(done) == {"wake_unsent"}
        assert "a row nobody thought of" in caplog.text


class TestCancel:
    def task(self, owner: User) -> Task:
        return make_task(owner, key=make_key(base_url=VIDU), state="queued", remote_id="42")

    @respx.mock
    def test_the_vendors_yes_is_not_the_end(self, alice: User) -> None:
        task = self.task(alice)
        route = respx.post(f"{VIDU}/ent/v2/tasks/42/cancel").mock(return_value=httpx.Response(200, json={}))
        keys.cancel_at_vendor(task)
        task.refresh_from_db()
        assert (route.call_count, task.state) == (1, "queued")
        assert task.events.get().kind == "cancel-accepted"

    @respx.mock
    def test_the_vendors_no_is_shown_in_its_words(self, alice: User) -> None:
        task = self.task(alice)
        answer = httpx.Response(
            400, json={"code": 400, "reason": "BadRequest", "message": "task state is scheduled, can not cancel"}
        )
        respx.post(f"{VIDU}/ent/v2/tasks/42/cancel").mock(return_value=answer)
        keys.cancel_at_vendor(task)
        event = task.events.get()
        assert (event.kind, event.detail["text"]) == ("cancel-refused", "task state is scheduled, can not cancel")

    def test_what_has_ended_is_left_alone(self, alice: User) -> None:
        task = self.task(alice)
        Task.objects.update(state="failed")
        task.refresh_from_db()
        keys.cancel_at_vendor(task)
        assert not task.events.exists()
