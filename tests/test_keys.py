"""Keys outside the route of a task: added, tested, used to cancel; a problem is noticed and forgotten by itself."""

from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
import respx
from django.utils import timezone
from django_q.models import OrmQ

from generations import keys, sweep
from generations.models import ProviderKey, RequestCount, Task, User
from generations.providers.base import FailureClass
from tests.factories import SECRET, make_key, make_task

pytestmark = pytest.mark.django_db
VIDU = "https://api.vidu.com"
CREDITS = f"{VIDU}/ent/v2/credits"


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
        ],
    )
    def test_what_is_wrong_is_said_without_the_secret(self, over: dict[str, str], said: str) -> None:
        make_key("Taken")
        with pytest.raises(ValueError, match=said) as caught:
            keys.add(**{"provider": "vidu", "label": "Studio", "secret": SECRET, **over})
        assert SECRET not in str(caught.value)


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
