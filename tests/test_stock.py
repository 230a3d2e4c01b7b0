"""What may be ordered: the shipped catalogue, less the hidden, with what administrators added and priced."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from generations import stock
from generations.models import CatalogueEntry, PriceList, PriceRow, ProviderKey
from generations.providers import PROVIDERS, catalog
from generations.providers.base import Mode, Money, Unit
from generations.providers.catalog import Estimate, Offer, Switch
from tests.factories import make_key

pytestmark = pytest.mark.django_db
TEXT = "text2video"
TURBO = "viduq3-turbo"


def entry(model: str = "viduq4", **over: Any) -> CatalogueEntry:
    fields = {"provider": "vidu", "mode": TEXT, "action": "add", "like": TURBO, "wire_model": model, **over}
    return CatalogueEntry.objects.create(model=model, **fields)


def offer_of(key: ProviderKey, model: str = TURBO, mode: Mode = Mode.TEXT) -> Offer | None:
    return stock.stock_of(key).get(model, mode)


def price_list(name: str, *rows: dict[str, Any], days: int = 0, **over: Any) -> PriceList:
    since = timezone.localdate() - timedelta(days=days)
    made = PriceList.objects.create(**{"provider": "vidu", "name": name, "unit": "credit", "valid_from": since, **over})
    for row in rows:
        PriceRow.objects.create(price_list=made, **{"model": TURBO, **row})
    return made


def priced(key: ProviderKey, *, mode: Mode = Mode.TEXT, **over: Any) -> Estimate | None:
    offer = offer_of(key, mode=mode)
    assert offer is not None
    return catalog.estimate(offer, **{"resolution": "720p", "duration": 5, "audio": False, **over})


def amount(key: ProviderKey, **over: Any) -> tuple[Decimal, str]:
    found = priced(key, **over)
    assert found is not None
    return found.amount.amount, found.price_list


class TestEntries:
    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_without_any_it_is_the_shipped_catalogue(self, provider: str) -> None:
        key = make_key(provider=provider)
        shipped = [(offer.mode, offer.model) for offer in PROVIDERS[provider].offers if offer.mode in Mode]
        sold = [(offer.mode, offer.model) for offer in stock.stock_of(key).offers]
        assert set(sold) <= set(shipped)
        assert [each for each in shipped if each in sold] == sold

    def test_a_hidden_one_is_gone_from_its_mode_and_vendor_alone(self, key: ProviderKey) -> None:
        entry(TURBO, action="hide")
        assert offer_of(key) is None
        assert offer_of(key, mode=Mode.IMAGE)
        assert offer_of(make_key("Other", provider="vtrix"))

    def test_an_added_one_is_like_another_but_for_what_is_filled_in(self, key: ProviderKey) -> None:
        entry(
            resolutions="720p 2K", durations="4 8-10", aspect_ratios="21:9 1:1", prompt_max=99, audio="no",
            off_peak=False, label="Vidu Q4", wire_model="viduq4-{resolution}",
        )  # fmt: skip
        made, alike = offer_of(key, "viduq4"), offer_of(key)
        assert made is not None
        assert alike is not None
        assert made.durations_by_resolution == dict.fromkeys(("720p", "2K"), (4, 8, 9, 10))
        assert (made.aspect_ratios, made.default_aspect_ratio) == (("21:9", "1:1"), "21:9")
        assert (made.prompt_max, made.audio, made.off_peak, made.label) == (99, Switch.NO, False, "Vidu Q4")
        assert (made.seed, made.watermark, made.family) == (alike.seed, alike.watermark, alike.family)
        assert list(made.wire_ids()) == ["viduq4-720p", "viduq4-2K"]
        assert made.tariff is None, "what it is like tells nothing of its price"

    def test_its_defaults_are_among_what_it_takes(self, key: ProviderKey) -> None:
        entry(resolutions="1080p", durations="8-12")
        made = offer_of(key, "viduq4")
        assert made is not None
        assert (made.default_resolution, made.default_duration) == ("1080p", 8)
        assert made.takes(made.default_resolution, made.default_duration)

    def test_without_a_label_it_is_not_taken_for_the_other_one(self, key: ProviderKey) -> None:
        entry()
        made = offer_of(key, "viduq4")
        assert made is not None
        assert made.label == "viduq4"
        assert made.hint

    def test_a_correction_stands_in_the_place_of_the_shipped_row_and_keeps_its_price(self, key: ProviderKey) -> None:
        before = [offer.model for offer in stock.stock_of(key).models(Mode.TEXT)]
        entry(TURBO, like="", wire_model="", prompt_max=77)
        assert [offer.model for offer in stock.stock_of(key).models(Mode.TEXT)] == before
        made = offer_of(key)
        assert made is not None
        assert (made.prompt_max, made.label) == (77, "Vidu Q3 Turbo")
        assert amount(key)[0] > 0

    def test_what_is_hidden_is_hidden_even_if_it_was_added(self, key: ProviderKey) -> None:
        entry()
        entry(action="hide")
        assert offer_of(key, "viduq4") is None

    def test_an_entry_like_nothing_offers_nothing(self, key: ProviderKey) -> None:
        entry(like="viduq0")
        entry("viduq5", provider="vtrix", mode="reference2video", like=TURBO)
        assert offer_of(key, "viduq4") is None
        assert offer_of(make_key("Other", provider="vtrix"), "viduq5", Mode.REFERENCE) is None

    def test_spans(self) -> None:
        assert stock.read_lengths("4 8") == (4, 8)
        assert stock.read_lengths("1-3 3 8") == (1, 2, 3, 8)

    def test_all_keys_cost_as_many_queries_as_one(self, django_assert_max_num_queries: Callable) -> None:
        keys = [make_key(f"{slug} {number}", provider=slug) for slug in PROVIDERS for number in range(3)]
        price_list("one", {"per_clip": 1})
        price_list("two", {"per_clip": 1})
        with django_assert_max_num_queries(4):
            stock.stocks_of(keys)


class TestPrices:
    def test_the_newest_valid_list_decides(self, key: ProviderKey) -> None:
        shipped = amount(key)
        price_list("old", {"per_clip": 30}, days=20)
        price_list("new", {"per_clip": 20}, days=10)
        price_list("future", {"per_clip": 10}, days=-1)
        assert shipped[1].startswith("vidu-")
        assert amount(key) == (Decimal(20), "new")

    def test_of_two_of_one_day_the_later_entered_decides(self, key: ProviderKey) -> None:
        price_list("first", {"per_clip": 30})
        price_list("second", {"per_clip": 20})
        assert amount(key) == (Decimal(20), "second")

    def test_a_future_list_alone_changes_nothing(self, key: ProviderKey) -> None:
        shipped = amount(key)
        price_list("future", {"per_clip": 10}, days=-1)
        assert amount(key) == shipped

    def test_what_the_newest_leaves_out_is_as_before_it(self, key: ProviderKey) -> None:
        price_list("old", {"per_clip": 30}, days=20)
        price_list("new", {"model": "viduq2", "per_clip": 20}, days=10)
        assert amount(key) == (Decimal(30), "old")

    def test_another_vendors_list_is_not_ours(self, key: ProviderKey) -> None:
        shipped = amount(key)
        price_list("vtrix", {"per_clip": 1}, provider="vtrix", unit="usd")
        assert amount(key) == shipped

    def test_a_row_that_names_the_mode_comes_before_one_that_does_not(self, key: ProviderKey) -> None:
        price_list("list", {"per_clip": 30}, {"mode": TEXT, "per_clip": 20}, {"mode": "img2video", "per_clip": 10})
        assert amount(key)[0] == 20
        assert amount(key, mode=Mode.IMAGE)[0] == 10
        assert amount(key, mode=Mode.START_END)[0] == 30

    def test_a_row_that_names_the_resolution_comes_before_one_that_does_not(self, key: ProviderKey) -> None:
        price_list("list", {"per_clip": 30}, {"resolution": "720p", "per_clip": 20})
        assert amount(key)[0] == 20
        assert amount(key, resolution="1080p")[0] == 30

    def test_the_mode_weighs_more_than_the_resolution(self, key: ProviderKey) -> None:
        price_list("list", {"resolution": "720p", "per_clip": 30}, {"mode": TEXT, "per_clip": 20})
        assert amount(key)[0] == 20
        assert amount(key, mode=Mode.IMAGE)[0] == 30

    def test_an_amount_per_clip_and_one_per_second_are_added(self, key: ProviderKey) -> None:
        price_list("list", {"per_clip": Decimal("2.5"), "per_second": Decimal("1.1")})
        found = priced(key)
        assert found is not None
        assert found.amount == Money(Decimal("8"), Unit.CREDIT)
        assert "1.1" in found.formula
        assert found.per_second is None, "a second does not cost the same in every clip"

    def test_off_peak_has_amounts_of_its_own(self, key: ProviderKey) -> None:
        price_list("list", {"per_second": 4, "off_peak_per_second": 2}, {"resolution": "1080p", "per_second": 9})
        assert amount(key)[0] == 20
        assert amount(key, off_peak=True)[0] == 10
        assert priced(key, off_peak=True, resolution="1080p") is None, "no off-peak price is known there"

    def test_what_a_unit_is_worth_comes_with_it(self, key: ProviderKey) -> None:
        price_list("list", {"per_second": 4}, worth=Decimal("0.02"), currency="cny")
        found = priced(key)
        assert found is not None
        assert found.rate is not None
        assert found.rate.of(found.amount) == Money(Decimal("0.4"), Unit.CNY)

    def test_a_list_without_worth_says_nothing_of_money(self, key: ProviderKey) -> None:
        price_list("list", {"per_second": 4})
        found = priced(key)
        assert found is not None
        assert found.rate is None

    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_every_vendor_can_be_priced(self, provider: str) -> None:
        key = make_key(provider=provider)
        unit = PROVIDERS[provider].unit
        price_list("list", {"per_second": 3}, provider=provider, unit=unit.value)
        found = priced(key)
        assert found is not None
        assert (found.amount, found.price_list) == (Money(Decimal(15), unit), "list")

    def test_an_added_model_is_priced_by_its_own_name(self, key: ProviderKey) -> None:
        entry()
        price_list("list", {"model": "viduq4", "per_clip": 7})
        offer = offer_of(key, "viduq4")
        assert offer is not None
        found = catalog.estimate(offer, resolution="720p", duration=5)
        assert found is not None
        assert found.amount.amount == 7

    def test_shipped_prices_are_worth_what_they_are_at_the_keys_address(self) -> None:
        for address, unit in (("https://api.vidu.com", Unit.USD), ("https://api.vidu.cn/", Unit.CNY)):
            found = priced(make_key(address, base_url=address))
            assert found is not None
            assert found.rate is not None
            assert found.rate.worth.unit is unit
