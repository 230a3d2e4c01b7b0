"""The comparison of vendors: one request, a quote of every key, with our own experience."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from generations.forms import GenerateForm, compare
from generations.forms.compare import Quote
from generations.history import History, histories
from generations.models import PriceList, PriceRow, ProviderKey, Task, TaskState, User
from generations.providers import PROVIDERS
from tests.factories import make_asset, make_key, make_task
from tests.views.pages import htmx, signed_in

KIND = ("vidu", "viduq3-turbo", "text2video")


def quotes(user: User, **initial: Any) -> dict[str, Quote]:
    form = GenerateForm(user=user, initial={"mode": "text2video", "model": "viduq3-turbo", **initial})
    return {quote.key.label: quote for quote in compare(form)}


def finished(owner: User, seconds: float, **over: Any) -> Task:
    sent = timezone.now() - timedelta(hours=1)
    fields = {"state": TaskState.SUCCEEDED, "submitted_at": sent, "finished_at": sent + timedelta(seconds=seconds)}
    return make_task(owner, **{**fields, **over})


@pytest.fixture
def second(key: ProviderKey) -> ProviderKey:
    return make_key("Second", "sandbox-another-key-0002")


def test_each_key_quotes_the_same_request(alice: User, key: ProviderKey, second: ProviderKey) -> None:
    found = quotes(alice, duration="6", count="2", key=str(key.pk))
    assert list(found) == [key.label, "Second"]
    for quote in found.values():
        assert quote.cost is not None
        assert quote.cost.total is not None
        assert quote.cost.total.amount == 11 * 6 * 2
    assert [quote.chosen for quote in found.values()] == [True, False]


def test_a_list_of_administrators_changes_the_quote(alice: User, key: ProviderKey) -> None:
    prices = PriceList.objects.create(
        provider="vidu", name="vidu-house", unit="credit", worth=Decimal("0.01"), currency="usd"
    )
    PriceRow.objects.create(price_list=prices, model="viduq3-turbo", per_second=Decimal("3.5"))
    cost = quotes(alice, duration="4")[key.label].cost
    assert cost is not None
    assert cost.total is not None
    assert cost.about is not None
    assert (cost.total.amount, cost.about.amount, cost.about.unit.value) == (Decimal("14.0"), Decimal("0.14"), "usd")


@pytest.fixture
def everywhere(key: ProviderKey) -> dict[str, ProviderKey]:
    """A key at each vendor, on this machine."""
    others = {
        slug: make_key(f"At {slug}", f"sandbox-{slug}-key", provider=slug) for slug in PROVIDERS if slug != "vidu"
    }
    return {"vidu": key, **others}


def reasons(user: User, everywhere: dict[str, ProviderKey], **initial: Any) -> dict[str, str]:
    """Why each vendor cannot do it; "" for one that can."""
    found = quotes(user, key=str(everywhere["vidu"].pk), **initial)
    return {slug: found[key.label].reason for slug, key in everywhere.items()}


def test_whoever_sells_the_model_can_do_a_plain_request(alice: User, everywhere: dict[str, ProviderKey]) -> None:
    assert set(reasons(alice, everywhere).values()) == {""}
    assert quotes(alice)["At xingchao"].note == "XingChaoYiQing decides about sound itself."


def test_who_lacks_the_model_says_so(alice: User, everywhere: dict[str, ProviderKey]) -> None:
    found = reasons(alice, everywhere, model="viduq1")
    assert found["vidu"] == found["dataeyes"] == found["vtrix"] == ""
    assert found["uniall"] == found["xingchao"] == "Vidu Q1 is not offered for “Text” here."


def test_defaults_are_no_wishes(alice: User, everywhere: dict[str, ProviderKey]) -> None:
    """Vidu's references have a kind of sound and Q1 has styles: what nobody chose excludes nobody."""
    assert reasons(alice, everywhere, mode="reference2video")["uniall"] == ""
    assert reasons(alice, everywhere, model="viduq1", style="general", movement_amplitude="auto")["vtrix"] == ""
    assert "Style" in reasons(alice, everywhere, model="viduq1", style="anime")["vtrix"]


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"seed": "7"}, "takes no seed"),
        ({"meta_data": '{"Label": "AI"}'}, "takes no origin label"),
        ({"watermark": "on"}, "adds no watermark"),
        ({"off_peak": "on"}, "not offered off-peak"),
    ],
    ids=str,
)
def test_what_a_vendor_lacks_is_its_reason(
    alice: User, everywhere: dict[str, ProviderKey], wish: dict[str, str], said: str
) -> None:
    found = reasons(alice, everywhere, **wish)
    assert said in found["xingchao"]
    assert found["vidu"] == ""


def test_pictures_beyond_a_vendors_limit_are_its_reason(alice: User, everywhere: dict[str, ProviderKey]) -> None:
    kept = [str(make_asset(alice, colour=f"#{40 * shade:02x}2060").pk) for shade in range(6)]
    found = reasons(alice, everywhere, mode="reference2video", asset=kept)
    assert "takes only 4 pictures" in found["uniall"]
    assert found["vidu"] == found["dataeyes"] == ""


def test_history_has_the_median_and_the_failures_of_the_vendor(alice: User, key: ProviderKey) -> None:
    for seconds in (40, 60, 300):
        finished(alice, seconds)
    finished(alice, 9, state=TaskState.FAILED, failure_class="provider_transient")
    finished(alice, 9, state=TaskState.FAILED, failure_class="content_policy")  # would fail anywhere
    finished(alice, 90_000, off_peak=True)  # waits on purpose
    old = finished(alice, 5)
    Task.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=30))
    assert histories([KIND])[KIND] == History(tried=5, failed=1, seconds=60)


def test_history_of_nothing_is_unknown(db: None) -> None:
    assert histories([KIND]) == {KIND: History(0, 0, None)}


def test_composer_compare(alice: User, key: ProviderKey, second: ProviderKey) -> None:
    finished(alice, 125)
    asked = {"mode": "text2video", "model": "viduq3-turbo", "duration": "5", "count": "1", "key": key.pk}
    html = signed_in(alice).get("/composer/compare/", asked, headers=htmx()).content.decode()
    assert html.count("55 credits") == 2
    assert html.count("about 2 min") == 2
    assert "0 of 1" in html
    assert html.count("data-use-key") == 1
    assert f'data-use-key="{second.pk}"' in html


def test_comparing_and_changing_the_key_work_without_scripts(
    alice: User, key: ProviderKey, second: ProviderKey
) -> None:
    client = signed_in(alice)
    typed = {"mode": "text2video", "model": "viduq3-turbo", "prompt": "Kept as it is", "key": key.pk}
    compared = client.post("/tasks/", typed | {"update": "compare"}).content.decode()
    assert "<dialog" in compared
    assert 'id="compare" aria-labelledby="compare-title" open' in compared
    changed = client.post("/tasks/", typed | {"use_key": second.pk}).content.decode()
    assert f'<option value="{second.pk}" selected>' in changed
    assert "Kept as it is" in changed
    assert not Task.objects.exists()
