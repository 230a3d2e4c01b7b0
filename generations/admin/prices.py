"""Price lists. One that estimates refer to explains them for ever: it is not changed but followed by a newer one."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from generations import stock
from generations.admin.guards import Guarded
from generations.models import PriceList, PriceRow, Task, User
from generations.providers import PROVIDERS, catalog
from generations.providers.base import Unit

AMOUNTS = ("per_second", "per_clip", "off_peak_per_second", "off_peak_per_clip")
MONEY = (Unit.USD, Unit.CNY)


def is_used(prices: PriceList) -> bool:
    """Whether an estimate refers to it; asked of all tasks only where the row does not say so itself."""
    told = getattr(prices, "in_use", None)
    return Task.objects.filter(price_list=prices.name).exists() if told is None else bool(told)


def shipped_names() -> set[str]:
    return {offer.tariff.source.name for slug in PROVIDERS for offer in catalog.offers(slug) if offer.tariff}


def fitting_units(provider: str) -> list[Unit]:
    """The vendor's own units and plain money: credits of one vendor mean nothing at another."""
    listed = [offer.tariff.source.unit for offer in catalog.offers(provider) if offer.tariff]
    return list(dict.fromkeys([PROVIDERS[provider].unit, *listed, *MONEY]))


def copy_of(prices: PriceList, by: User | None) -> PriceList:
    """The same prices as a list of their own, valid from today."""
    today = timezone.localdate()
    with transaction.atomic():
        rows = list(prices.rows.all())
        copy = PriceList.objects.create(
            provider=prices.provider,
            name=_free_name(f"{prices.provider}-{today:%Y-%m-%d}"),
            unit=prices.unit,
            worth=prices.worth,
            currency=prices.currency,
            valid_from=today,
            note=prices.note,
            added_by=by,
        )
        for row in rows:
            row.pk, row.price_list = None, copy
            row._state.adding = True
        PriceRow.objects.bulk_create(rows)
    return copy


def _free_name(wanted: str) -> str:
    taken = {*PriceList.objects.filter(name__startswith=wanted).values_list("name", flat=True), *shipped_names()}
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name


class ListForm(forms.ModelForm[PriceList]):
    class Meta:
        model = PriceList
        fields = ("provider", "name", "unit", "worth", "currency", "valid_from", "note")

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if name in shipped_names():
            raise forms.ValidationError(_("A list that ships with VideoForge has this name."))
        return name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        provider, unit = cleaned.get("provider", ""), cleaned.get("unit", "")
        if provider in PROVIDERS and unit and unit not in fitting_units(provider):
            said = {"provider": PROVIDERS[provider].name, "units": ", ".join(fitting_units(provider))}
            self.add_error("unit", _("Prices of %(provider)s are in one of: %(units)s.") % said)
        self._check_worth(cleaned)
        return cleaned

    def _check_worth(self, cleaned: dict[str, Any]) -> None:
        worth, currency = cleaned.get("worth"), cleaned.get("currency", "")
        if "worth" in self.errors:
            return
        if worth is not None and not currency:
            self.add_error("currency", _("Say in which currency a unit is worth this."))
        elif worth is None and currency:
            self.add_error("worth", _("Say what a unit is worth, or leave the currency empty."))
        elif worth is not None and not worth:
            self.add_error("worth", _("Leave it empty, or give a number above 0."))
        elif currency and currency == cleaned.get("unit"):
            self.add_error("currency", _("The prices are in this currency already."))


class RowForm(forms.ModelForm[PriceRow]):
    class Meta:
        model = PriceRow
        fields = ("model", "mode", "resolution", *AMOUNTS)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        wrong = any(name in self.errors for name in AMOUNTS)
        if not wrong and all(cleaned.get(name) is None for name in AMOUNTS):
            raise forms.ValidationError(_("A price needs at least one amount."))
        return cleaned


class RowInline(admin.TabularInline[PriceRow, PriceList]):
    model = PriceRow
    form = RowForm
    extra = 3

    def has_add_permission(self, request: HttpRequest, obj: PriceList | None = None) -> bool:
        return super().has_add_permission(request, obj) and not (obj and is_used(obj))

    def has_change_permission(self, request: HttpRequest, obj: PriceList | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and is_used(obj))

    def has_delete_permission(self, request: HttpRequest, obj: PriceList | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and is_used(obj))


@admin.register(PriceList)
class PriceListAdmin(Guarded):
    form = ListForm
    change_form_template = "admin/generations/pricelist/change_form.html"
    inlines = (RowInline,)
    list_display = ("name", "provider", "unit", "valid_from", "standing", "used", "note", "added_by")
    list_filter = ("provider",)
    list_select_related = ("added_by",)
    show_full_result_count = False
    actions = ("copy_lists",)
    readonly_fields = ("added_by", "created_at")

    def get_fields(self, request: HttpRequest, obj: PriceList | None = None) -> Any:
        return (*ListForm.Meta.fields, *(self.readonly_fields if obj else ()))

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceList]:
        past = PriceList.objects.filter(provider=OuterRef("provider"), valid_from__lte=timezone.localdate())
        rows: QuerySet[PriceList] = super().get_queryset(request)
        return rows.annotate(
            newest=Subquery(past.order_by("-valid_from", "-pk").values("pk")[:1]),
            in_use=Exists(Task.objects.filter(price_list=OuterRef("name"))),
        )

    def has_change_permission(self, request: HttpRequest, obj: PriceList | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and is_used(obj))

    def has_delete_permission(self, request: HttpRequest, obj: PriceList | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and is_used(obj))

    @admin.display(description=gettext_lazy("in force"))
    def standing(self, prices: PriceList) -> str:
        if prices.valid_from > timezone.localdate():
            return _("from %(date)s") % {"date": date_format(prices.valid_from, "DATE_FORMAT")}
        if prices.pk == getattr(prices, "newest", None):
            return _("now")
        return _("for what newer lists leave out")

    @admin.display(description=gettext_lazy("used by estimates"), boolean=True)
    def used(self, prices: PriceList) -> bool:
        return is_used(prices)

    def save_model(self, request: HttpRequest, obj: PriceList, form: Any, change: bool) -> None:
        if not change and isinstance(request.user, User):
            obj.added_by = request.user
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        idle = without_effect(form.instance)
        if idle:
            text = _("No model of the catalogue has these prices, so they have no effect: %(rows)s")
            messages.warning(request, text % {"rows": "; ".join(idle)})

    @admin.action(description=gettext_lazy("Copy as a new version"), permissions=["add"])
    def copy_lists(self, request: HttpRequest, rows: QuerySet[PriceList]) -> None:
        for prices in rows:
            self._copy(request, prices)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.copy_view))
        return [path("<int:pk>/copy/", view, name="copy-price-list"), *super().get_urls()]

    def copy_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        copy = self._copy(request, get_object_or_404(PriceList, pk=pk))
        return HttpResponseRedirect(reverse("admin:generations_pricelist_change", args=[copy.pk]))

    def _copy(self, request: HttpRequest, prices: PriceList) -> PriceList:
        copy = copy_of(prices, request.user if isinstance(request.user, User) else None)
        self.log_addition(request, copy, [{"added": {}}])
        said = {"old": prices.name, "new": copy.name}
        messages.success(request, _("“%(new)s” has the prices of “%(old)s” and is in force from today.") % said)
        return copy

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        prices = context.get("original")
        context["locked"] = prices is not None and is_used(prices)
        context["may_copy"] = prices is not None and self.has_add_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)


def without_effect(prices: PriceList) -> list[str]:
    """Rows that fit nothing: a slip of the pen would otherwise go unseen."""
    sold = [line.offer for line in stock.catalogue(prices.provider)]
    return [str(row).strip() for row in prices.rows.all() if not any(_fits(row, offer) for offer in sold)]


def _fits(row: PriceRow, offer: catalog.Offer) -> bool:
    named = row.model == offer.model and row.mode in ("", offer.mode)
    return named and (not row.resolution or row.resolution in offer.resolutions)
