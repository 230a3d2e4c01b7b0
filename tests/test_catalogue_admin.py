"""Catalogue and prices in the admin: what is entered makes offers and estimates, or is refused with a sentence."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from generations.admin import prices
from generations.admin.entry_form import EntryForm
from generations.models import CatalogueEntry, PriceList, PriceRow, User
from generations.providers import PROVIDERS
from generations.stock import stock_of
from tests.factories import make_key, make_task
from tests.views.pages import signed_in

pytestmark = pytest.mark.django_db
ADD = "admin:generations_catalogueentry_add"
CHANGE = "admin:generations_catalogueentry_change"
OVERVIEW = "admin:catalogue-overview"
LISTS = "admin:generations_pricelist_changelist"
NEW_LIST = "admin:generations_pricelist_add"
ONE_LIST = "admin:generations_pricelist_change"


@pytest.fixture
def desk(admin: User) -> Client:
    return signed_in(admin)


def staff(*codes: str) -> Client:
    person = User.objects.create_user("staff", role="auditor")
    person.user_permissions.set(Permission.objects.filter(codename__in=codes))
    return signed_in(person)


def entered(**over: object) -> dict[str, object]:
    return {
        "provider": "vidu", "mode": "text2video", "model": "viduq4", "action": "add", "like": "viduq3-turbo",
        "label": "", "wire_model": "viduq4", "resolutions": "", "durations": "", "aspect_ratios": "", "max_images": "",
        "prompt_max": "", "audio": "", "bgm": "", "off_peak": "unknown", "note": "", **over,
    }  # fmt: skip


class TestEntry:
    def test_an_added_model_can_be_ordered(self, desk: Client, admin: User) -> None:
        desk.post(reverse(ADD), entered(durations="4-6", resolutions="720p"))
        made = CatalogueEntry.objects.get()
        assert made.added_by == admin
        offer = stock_of(make_key()).get("viduq4", "text2video")  # type: ignore[arg-type]
        assert offer is not None
        assert offer.durations_by_resolution == {"720p": (4, 5, 6)}

    def test_a_hidden_model_cannot(self, desk: Client) -> None:
        assert desk.post(reverse(ADD), entered(action="hide", model="viduq3-pro", like="", wire_model="")).url
        assert stock_of(make_key()).get("viduq3-pro", "text2video") is None  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("over", "field", "said"),
        [
            ({"like": "viduq0"}, "like", "There are: viduq3-turbo, viduq3-pro"),
            ({"like": ""}, "model", "no “viduq4” in the mode"),
            ({"like": "viduq3"}, "like", "no “viduq3” in the mode “Text”"),
            ({"provider": "xingchao", "mode": "reference2video"}, "like", "no model at all"),
            ({"action": "hide"}, "model", "There are: viduq3-turbo"),
            ({"wire_model": ""}, "wire_model", "“viduq3-turbo” would be ordered under this name"),
            ({"wire_model": "viduq4-{size}"}, "wire_model", "Only {resolution}, {duration} and {off_peak}"),
            ({"wire_model": "viduq4-{}"}, "wire_model", "Only {resolution}"),
            ({"wire_model": "viduq4-{duration:03}"}, "wire_model", "Only {resolution}"),
            ({"wire_model": "viduq4-{resolution.__class__}"}, "wire_model", "Only {resolution}"),
            ({"wire_model": "viduq4-{resolution"}, "wire_model", "braces do not match"),
            ({"wire_model": "vidu q4"}, "wire_model", "neither spaces"),
            ({"resolutions": "720"}, "resolutions", "Write “720p 1080p”"),
            ({"resolutions": "720p, 1080p"}, "resolutions", "Write “720p 1080p”"),
            ({"resolutions": "720p 720p"}, "resolutions", "twice"),
            ({"durations": "8-4"}, "durations", "runs backwards"),
            ({"durations": "4 8-61"}, "durations", "longer than 60 s"),
            ({"durations": "0-5"}, "durations", "at least 1 s"),
            ({"durations": "0"}, "durations", "at least 1 s"),
            ({"durations": "4,8"}, "durations", "Write “4 8”"),
            ({"durations": "4 4"}, "durations", "twice"),
            ({"aspect_ratios": "16x9"}, "aspect_ratios", "Write “16:9"),
            ({"aspect_ratios": "0:9"}, "aspect_ratios", "Write “16:9"),
            ({"aspect_ratios": "1:1 1:1"}, "aspect_ratios", "twice"),
            ({"mode": "img2video", "aspect_ratios": "1:1"}, "aspect_ratios", "picture decides"),
            ({"max_images": 3}, "max_images", "always 0"),
            ({"mode": "start-end2video", "max_images": 3}, "max_images", "always 2"),
            ({"mode": "reference2video", "max_images": 0}, "max_images", "at least 1"),
            ({"prompt_max": 0}, "prompt_max", "above 0"),
        ],
    )
    def test_what_would_make_no_offer_is_refused_with_a_sentence(
        self, desk: Client, over: dict[str, object], field: str, said: str
    ) -> None:
        answer = desk.post(reverse(ADD), entered(**over))
        assert said in answer.context["adminform"].form.errors[field][0]
        assert not CatalogueEntry.objects.exists()

    @pytest.mark.parametrize(
        "over",
        [
            {"wire_model": "viduq4-{resolution}-{duration}s{off_peak}"},
            {"resolutions": "540p 1080p 2K"},
            {"durations": "1-60"},
            {"aspect_ratios": "21:9 1:1"},
            {"model": "viduq3-turbo", "like": "", "wire_model": "", "prompt_max": 900},
            {"mode": "reference2video", "max_images": 9},
        ],
    )
    def test_what_makes_one_is_taken(self, desk: Client, over: dict[str, object]) -> None:
        answer = desk.post(reverse(ADD), entered(**over))
        assert answer.status_code == 302, answer.context["adminform"].form.errors
        made = CatalogueEntry.objects.get()
        assert stock_of(make_key()).get(made.model, made.mode)

    def test_what_was_added_can_be_hidden(self, desk: Client) -> None:
        desk.post(reverse(ADD), entered())
        assert desk.post(reverse(ADD), entered(action="hide")).status_code == 302

    def test_the_page_shows_what_comes_of_it(self, desk: Client) -> None:
        desk.post(reverse(ADD), entered(wire_model="q4-{resolution}", durations="4 8", resolutions="720p 2K"))
        page = desk.get(reverse(CHANGE, args=[CatalogueEntry.objects.get().pk])).content.decode()
        for said in ("q4-720p", "q4-2K", "720p, 2K: 4 or 8 s", "16:9", "on unless refused"):
            assert said in page
        assert 'name="outcome"' not in page

    def test_an_entry_whose_model_left_says_so(self, desk: Client) -> None:
        made = CatalogueEntry.objects.create(provider="vidu", mode="text2video", model="x", like="viduq0")
        page = desk.get(reverse(CHANGE, args=[made.pk]))
        assert "no longer in the catalogue" in page.content.decode()

    def test_the_list_costs_the_same_for_many(self, desk: Client, django_assert_max_num_queries: Callable) -> None:
        for number in range(12):
            CatalogueEntry.objects.create(provider="vidu", mode="text2video", model=f"m{number}", like="viduq2")
        with django_assert_max_num_queries(8):
            desk.get(reverse("admin:generations_catalogueentry_changelist"))


class TestOverview:
    def rows(self, page: Any) -> dict[tuple[str, str, str], Any]:
        return {(row.vendor, row.mode, row.model): row for row in page.context["rows"]}

    def test_every_row_of_every_vendor_stands_there(self, desk: Client) -> None:
        page = desk.get(reverse(OVERVIEW))
        assert len(page.context["rows"]) == sum(len(provider.offers) for provider in PROVIDERS.values())
        row = self.rows(page)["Vidu", "Text", "viduq3-turbo"]
        told = dict(zip(page.context["headings"], row.cells, strict=True))
        assert told["Durations"] == ["540p, 720p, 1080p: 1–16 s"]
        assert told["Sound"] == ["on unless refused"]
        assert told["Off-peak"] == ["yes"]
        assert any("11 credits a second" in line for line in told["Price"])
        assert told["Price"][-1].startswith("vidu-2026-07-10, ")
        assert row.source == "shipped"

    def test_steps_are_told_by_their_ends(self, desk: Client) -> None:
        page = desk.get(reverse(OVERVIEW) + "?vendor=vidu")
        told = dict(zip(page.context["headings"], self.rows(page)["Vidu", "Image", "viduq2-turbo"].cells, strict=True))
        assert re.match(r"540p: \d+ credits \(1 s\) … \d+ credits \(10 s\)", told["Price"][0])

    def test_what_administrators_did_is_seen_and_leads_to_it(self, desk: Client) -> None:
        fields = {"provider": "vidu", "mode": "text2video"}
        hidden = CatalogueEntry.objects.create(**fields, model="viduq1", action="hide")
        added = CatalogueEntry.objects.create(**fields, model="viduq4", like="viduq2", wire_model="q4")
        changed = CatalogueEntry.objects.create(**fields, model="viduq2", prompt_max=9)
        listed = PriceList.objects.create(provider="vidu", name="house-1", unit="credit")
        PriceRow.objects.create(price_list=listed, model="viduq4", per_clip=3)
        page = desk.get(reverse(OVERVIEW))
        rows = self.rows(page)
        for entry, source in ((hidden, "hidden"), (added, "one more"), (changed, "corrected")):
            row = rows["Vidu", "Text", entry.model]
            assert (row.source, row.links) == (source, [reverse(CHANGE, args=[entry.pk])])
            assert row.links[0] in page.content.decode()
        assert rows["Vidu", "Text", "viduq1"].hidden
        price = rows["Vidu", "Text", "viduq4"].cells[-1]
        assert "3 credits" in price[0]
        assert price[-1].startswith("house-1, ")

    def test_links_narrow_it_to_one_vendor(self, desk: Client) -> None:
        page = desk.get(reverse(OVERVIEW) + "?vendor=vtrix")
        assert {row.vendor for row in page.context["rows"]} == {"Vtrix"}
        content = page.content.decode()
        assert 'href="?vendor=vtrix" aria-current="page"' in content
        assert all(f"?vendor={slug}" in content for slug in PROVIDERS)
        everything = desk.get(reverse(OVERVIEW) + "?vendor=nobody")
        assert len({row.vendor for row in everything.context["rows"]}) == len(PROVIDERS)

    def test_it_costs_a_few_queries_however_many_rows(
        self, desk: Client, django_assert_max_num_queries: Callable
    ) -> None:
        with django_assert_max_num_queries(20):
            desk.get(reverse(OVERVIEW))

    def test_the_index_and_the_list_lead_there(self, desk: Client) -> None:
        for page in (reverse("admin:index"), reverse("admin:generations_catalogueentry_changelist")):
            assert reverse(OVERVIEW) in desk.get(page).content.decode()

    def test_it_is_for_those_who_may_look(self, client: Client, alice: User) -> None:
        assert signed_in(alice).get(reverse(OVERVIEW)).status_code == 302
        auditor = staff()
        assert auditor.get(reverse(OVERVIEW)).status_code == 200
        assert reverse(OVERVIEW) in auditor.get(reverse("admin:index")).content.decode()

    def test_nothing_inline(self, desk: Client) -> None:
        content = desk.get(reverse(OVERVIEW)).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>\s*[^<\s]|\son\w+=|<style|\sstyle=", content)


def rows_entered(*rows: dict[str, object], initial: int = 0, **over: object) -> dict[str, object]:
    """The form of a price list as the page sends it."""
    data: dict[str, object] = {
        "provider": "vidu", "name": "house-1", "unit": "credit", "worth": "", "currency": "",
        "valid_from": timezone.localdate().isoformat(), "note": "",
        "rows-TOTAL_FORMS": len(rows), "rows-INITIAL_FORMS": initial, **over,
    }  # fmt: skip
    for place, row in enumerate(rows):
        whole = {"model": "viduq3-turbo", "mode": "", "resolution": "", **row}
        data |= {f"rows-{place}-{name}": value for name, value in whole.items()}
    return data


def make_list(name: str = "house-1", days: int = 0, **over: Any) -> PriceList:
    since = timezone.localdate() - timedelta(days=days)
    made = PriceList.objects.create(**{"provider": "vidu", "name": name, "unit": "credit", "valid_from": since, **over})
    PriceRow.objects.create(price_list=made, model="viduq3-turbo", per_second=Decimal("9.5"))
    PriceRow.objects.create(price_list=made, model="viduq3-pro", mode="text2video", resolution="720p", per_clip=7)
    return made


class TestPriceList:
    def test_one_is_entered_with_its_rows(self, desk: Client, admin: User) -> None:
        desk.post(reverse(NEW_LIST), rows_entered({"per_second": "9.5"}, worth="0.01", currency="usd"))
        made = PriceList.objects.get()
        assert (made.name, made.added_by, made.rows.get().per_second) == ("house-1", admin, Decimal("9.5"))

    @pytest.mark.parametrize(
        ("over", "field", "said"),
        [
            ({"worth": "0.01"}, "currency", "in which currency"),
            ({"currency": "usd"}, "worth", "what a unit is worth"),
            ({"worth": "0", "currency": "usd"}, "worth", "above 0"),
            ({"worth": "-1", "currency": "usd"}, "worth", "greater than or equal to 0"),
            ({"unit": "token"}, "unit", "Prices of Vidu are in one of: credit, usd, cny"),
            ({"provider": "vtrix"}, "unit", "Prices of Vtrix are in one of: usd, cny"),
            ({"unit": "usd", "worth": "1", "currency": "usd"}, "currency", "in this currency already"),
            ({"name": "vidu-2026-07-10"}, "name", "ships with VideoForge"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, desk: Client, over: dict[str, object], field: str, said: str) -> None:
        answer = desk.post(reverse(NEW_LIST), rows_entered({"per_second": "9.5"}, **over))
        assert said in answer.context["adminform"].form.errors[field][0]
        assert len(answer.context["errors"]) == 1, "one sentence, not the database's as well"
        assert not PriceList.objects.exists()

    @pytest.mark.parametrize(
        ("rows", "said"),
        [
            ([{}], "at least one amount"),
            ([{"per_clip": "-1"}], "greater than or equal to 0"),
            ([{"per_clip": "1"}, {"per_second": "1"}], "duplicate"),
        ],
    )
    def test_rows_that_make_no_price_are_refused(self, desk: Client, rows: list[dict[str, object]], said: str) -> None:
        answer = desk.post(reverse(NEW_LIST), rows_entered(*rows))
        assert said in str(answer.context["errors"])
        assert not PriceList.objects.exists()

    def test_rows_that_fit_nothing_are_named(self, desk: Client) -> None:
        rows = ({"per_clip": "1"}, {"model": "viduq3-trubo", "per_clip": "1"}, {"resolution": "9K", "per_clip": "1"})
        answer = desk.post(reverse(NEW_LIST), rows_entered(*rows), follow=True)
        said = [str(message) for message in answer.context["messages"] if message.level_tag == "warning"]
        assert len(said) == 1
        assert "viduq3-trubo; viduq3-turbo  9K" in said[0]

    def test_one_that_estimates_refer_to_is_read_only(self, desk: Client, alice: User) -> None:
        made = make_list()
        page = desk.get(reverse(ONE_LIST, args=[made.pk])).content.decode()
        assert 'name="_save"' in page
        make_task(alice, price_list=made.name)
        page = desk.get(reverse(ONE_LIST, args=[made.pk])).content.decode()
        assert 'name="_save"' not in page
        assert 'name="rows-0-per_second"' not in page
        assert "Estimates refer to this list" in page
        assert "Copy as a new version" in page
        row = made.rows.get(model="viduq3-turbo")
        data = rows_entered({"id": row.pk, "price_list": made.pk, "per_second": "1"}, initial=1)
        assert desk.post(reverse(ONE_LIST, args=[made.pk]), data).status_code == 403
        delete = reverse("admin:generations_pricelist_delete", args=[made.pk])
        assert desk.post(delete, {"post": "yes"}).status_code == 403
        desk.post(reverse(LISTS), {"action": "delete_selected", "_selected_action": [made.pk], "post": "yes"})
        row.refresh_from_db()
        assert row.per_second == Decimal("9.5")

    def test_a_copy_has_its_rows_a_name_of_its_own_and_begins_today(
        self, desk: Client, admin: User, alice: User
    ) -> None:
        made = make_list(days=30, worth=Decimal("0.01"), currency="usd", note="their page")
        make_task(alice, price_list=made.name)
        copies = [desk.post(reverse("admin:copy-price-list", args=[made.pk])) for _ in range(2)]
        first, second = PriceList.objects.exclude(pk=made.pk).order_by("pk")
        today = timezone.localdate()
        assert (first.name, second.name) == (f"vidu-{today}", f"vidu-{today}-2")
        assert copies[0].headers["Location"] == reverse(ONE_LIST, args=[first.pk])
        told = (first.valid_from, first.worth, first.currency, first.note, first.added_by)
        assert told == (today, Decimal("0.01"), "usd", "their page", admin)
        values = ("model", "mode", "resolution", *prices.AMOUNTS)
        assert list(first.rows.values_list(*values)) == list(made.rows.values_list(*values))
        assert made.rows.count() == 2
        assert 'name="_save"' in desk.get(reverse(ONE_LIST, args=[first.pk])).content.decode()
        assert LogEntry.objects.filter(object_id=first.pk, user=admin).exists()

    def test_copying_is_an_action_too_and_needs_the_right_to_add(self, desk: Client) -> None:
        made = make_list()
        desk.post(reverse(LISTS), {"action": "copy_lists", "_selected_action": [made.pk]})
        assert PriceList.objects.count() == 2
        looker = staff("view_pricelist", "change_pricelist")
        assert looker.post(reverse("admin:copy-price-list", args=[made.pk])).status_code == 403
        assert desk.get(reverse("admin:copy-price-list", args=[made.pk])).status_code == 405
        assert PriceList.objects.count() == 2

    def test_the_list_tells_which_is_in_force(self, desk: Client) -> None:
        make_list("old", days=20)
        make_list("now", days=1)
        make_list("later", days=-10)
        make_list("vtrix-now", days=40, provider="vtrix", unit="usd")
        admin = desk.get(reverse(LISTS)).context["cl"]
        told = {each.name: admin.model_admin.standing(each) for each in admin.result_list}
        assert told["now"] == told["vtrix-now"] == "now"
        assert told["old"] == "for what newer lists leave out"
        assert told["later"].startswith("from ")

    def test_the_list_costs_the_same_for_many(self, desk: Client, django_assert_max_num_queries: Callable) -> None:
        for number in range(12):
            make_list(f"list-{number}")
        with django_assert_max_num_queries(8):
            desk.get(reverse(LISTS))


TIERS = {"provider": "dataeyes", "mode": "img2video", "action": "add", "model": "house-tier", "like": "viduq2-turbo"}


@pytest.mark.django_db
class TestWhatAnIdTells:
    """An entry must not sell what the vendor cannot be told of."""

    def test_a_fixed_tier_needs_one_value_of_all_it_tells(self) -> None:
        fixed = {**TIERS, "wire_model": "viduq2-turbo-720p-5s"}
        assert "Put {resolution} into the id" in EntryForm(fixed).errors["wire_model"][0]
        assert "Put {duration} into the id" in EntryForm({**fixed, "resolutions": "720p"}).errors["wire_model"][0]
        assert not EntryForm({**fixed, "resolutions": "720p", "durations": "5"}).errors

    def test_an_off_peak_id_needs_its_braces(self) -> None:
        asked = {"provider": "uniall", "mode": "text2video", "action": "add", "model": "house", "like": "viduq3-pro"}
        peak = EntryForm({**asked, "wire_model": "viduq3p-{resolution}"})
        assert "{off_peak}" in peak.errors["wire_model"][0]
        assert not EntryForm({**asked, "wire_model": "viduq3p-{resolution}{off_peak}"}).errors

    @pytest.mark.parametrize(
        ("provider", "like", "field", "value"),
        [
            ("vtrix", "viduq2", "off_peak", "true"),
            ("uniall", "viduq3-mix", "off_peak", "true"),
            ("xingchao", "viduq3-pro", "audio", "optional"),
            ("xingchao", "viduq3-pro", "bgm", "default_on"),
        ],
    )
    def test_a_switch_that_would_not_be_sent_is_refused(self, provider: str, like: str, field: str, value: str) -> None:
        mode = "reference2video" if like == "viduq3-mix" else "text2video"
        asked = {"provider": provider, "mode": mode, "action": "add", "model": like, field: value}
        assert "would not be sent" in EntryForm(asked).errors[field][0]
