"""Budgets of keys, people and teams with what is used of them, the presses let through, and what units are worth."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generations import standings, words
from generations.admin.guards import Guarded, Kept, Listed, ReadOnly
from generations.models import Budget, BudgetOverride, ProviderKey, Rate


class BudgetForm(forms.ModelForm[Budget]):
    class Meta:
        model = Budget
        fields = ("key", "person", "team", "period", "limit", "unit", "warn_at", "block_at", "active", "note")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        key, unit = cleaned.get("key"), cleaned.get("unit")
        if key and unit and unit != key.translator.unit:
            said = {"unit": dict(Budget._meta.get_field("unit").flatchoices)[key.translator.unit]}
            self.add_error(
                "unit", _("This key is billed in %(unit)s: a budget in another unit would count nothing.") % said
            )
        return cleaned


class ScopeFilter(admin.SimpleListFilter):
    title = gettext_lazy("scope")
    parameter_name = "scope"
    WHOSE = {"key": Q(key__isnull=False), "person": Q(person__isnull=False), "team": Q(team__isnull=False)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("key", gettext_lazy("API key")),
            ("person", gettext_lazy("Person")),
            ("team", gettext_lazy("Team")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Budget]) -> QuerySet[Budget]:
        return queryset.filter(self.WHOSE[self.value() or ""]) if self.value() in self.WHOSE else queryset


@admin.register(Budget)
class BudgetAdmin(Kept):
    form = BudgetForm
    list_display = ("whose", "scope", "period", "limit_told", "used", "warn_at", "block_at", "active", "note")
    list_filter = (ScopeFilter, "period", "unit", "active")
    list_select_related = ("key", "person", "team")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """All of a page at once: one by one, each would cost three queries."""
        listing = super().get_changelist_instance(request)
        rows = list(listing.result_list)
        for row, standing in zip(rows, standings.all_of(rows), strict=True):
            row.__dict__["standing"] = standing
        listing.result_list = rows
        return listing

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """For a key the unit is known."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        chosen = str(initial.get("key", ""))
        key = ProviderKey.objects.filter(pk=chosen).first() if chosen.isdecimal() else None
        return {**initial, **({"unit": key.translator.unit.value} if key else {})}

    def why_kept(self, row: Any) -> str:
        if not row.overrides.exists():
            return ""
        return _("This budget was overridden with a reason, which is kept. Make it inactive instead.")

    @admin.display(description=gettext_lazy("whose"))
    def whose(self, row: Budget) -> str:
        return words.name_of_scope(row)

    @admin.display(description=gettext_lazy("scope"))
    def scope(self, row: Budget) -> str:
        if row.key_id:
            return _("API key")
        return _("Person") if row.person_id else _("Team")

    @admin.display(description=gettext_lazy("limit"), ordering="limit")
    def limit_told(self, row: Budget) -> str:
        return words.money(row.limit, row.unit)

    @admin.display(description=gettext_lazy("used"), empty_value="–")
    def used(self, row: Budget) -> str:
        if not row.active:
            return ""
        return render_to_string("admin/generations/budget/bar.html", {"standing": row.__dict__["standing"]})


@admin.register(BudgetOverride)
class OverrideAdmin(ReadOnly, Listed):
    list_display = ("at", "actor_name", "budget", "cost", "reason")
    list_select_related = ("actor", "budget__key", "budget__person", "budget__team")
    fields = ("at", "actor_name", "budget", "cost", "reason")
    readonly_fields = fields

    @admin.display(description=gettext_lazy("person"), ordering="actor")
    def actor_name(self, row: BudgetOverride) -> str:
        return row.actor.display_name

    @admin.display(description=gettext_lazy("estimate"), empty_value="–")
    def cost(self, row: BudgetOverride) -> str:
        return "" if row.amount is None else words.money(row.amount, row.budget.unit)


@admin.register(Rate)
class RateAdmin(Guarded):
    list_display = ("valid_from", "key", "unit", "worth", "note")
    list_filter = ("unit", "currency", "key")
    list_select_related = ("key",)
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    fields = ("key", "unit", "currency", "per_unit", "valid_from", "note")

    @admin.display(description=gettext_lazy("for one unit"), ordering="per_unit")
    def worth(self, row: Rate) -> str:
        return f"{number_format(row.per_unit.normalize())} {row.currency}"
