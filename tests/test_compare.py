"""The comparison of vendors: one request, a quote of every key, with our own experience."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from generations.forms import GenerateForm, compare
from generations.forms.compare import Quote
from generations.history import History, histories
from generations.models import CatalogueEntry, PriceList, PriceRow, ProviderKey, Task, TaskState, User
from tests.factories import make_key, make_task
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


def test_who_lacks_the_model_says_so(alice: User, key: ProviderKey) -> None:
    CatalogueEntry.objects.create(provider="vidu", mode="text2video", model="viduq3-pro", action="hide")
    make_key("Other", "sandbox-another-key-0003")
    form = GenerateForm(user=alice, initial={"mode": "text2video", "model": "viduq3-turbo", "key": str(key.pk)})
    # the form's own stock still has the model, the other key's has not
    pro = next(o for o in form.params.models if o.value == "viduq3-turbo")
    assert pro.checked
    CatalogueEntry.objects.create(provider="vidu", mode="text2video", model="viduq3-turbo", action="hide")
    fresh = GenerateForm(user=alice, initial={"mode": "text2video", "model": "viduq3-turbo", "key": str(key.pk)})
    assert fresh.params.offer is not None
    assert fresh.params.offer.model not in ("viduq3-turbo", "viduq3-pro")
    assert any("Model changed" in note for note in fresh.params.notes)


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
