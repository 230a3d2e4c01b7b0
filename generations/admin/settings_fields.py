"""A vendor's settings of one key as fields of a form; see ``KeySetting``."""

from collections.abc import Mapping
from string import Formatter
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generations import keys
from generations.models import ProviderKey
from generations.providers.base import Account, KeySetting

PREFIX, FORGET = "setting_", "forget_"
TEXT_AT_MOST = 200


def fields_for(key: ProviderKey) -> dict[str, forms.Field]:
    """By the name in the form. A stored secret gets a box beside it, because an empty field keeps it."""
    fields: dict[str, forms.Field] = {}
    account = Account("", "", key.set_options)
    for setting in key.translator.settings:
        stored = bool(key.set_options.get(setting.name))
        now = None if setting.secret else key.translator.setting(account, setting.name)
        fields[PREFIX + setting.name] = _field(setting, now, stored)
        if setting.secret and stored:
            label = _("Forget: %(setting)s") % {"setting": _(setting.label)}
            fields[FORGET + setting.name] = forms.BooleanField(label=label, required=False)
    return fields


def entered(key: ProviderKey, cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """What was entered, by the setting's name; a secret only where it is new or to be forgotten."""
    values: dict[str, Any] = {}
    for setting in key.translator.settings:
        value = cleaned.get(PREFIX + setting.name)
        if value is None or (setting.choices and not value):
            continue
        if not setting.secret:
            values[setting.name] = value if value != "" else setting.default
        elif value or cleaned.get(FORGET + setting.name):
            values[setting.name] = value
    return values


def summary(key: ProviderKey) -> list[tuple[str, str]]:
    """Every setting with its value in words, for those who may only look; of a secret only whether there is one."""
    account = Account("", "", key.set_options)
    lines = []
    for setting in key.translator.settings:
        if setting.secret:
            value = _("entered") if key.set_options.get(setting.name) else _("none")
        else:
            value = _in_words(setting, key.translator.setting(account, setting.name))
        lines.append((_(setting.label), value))
    return lines


def _in_words(setting: KeySetting, value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return _(dict(setting.choices).get(value, value)) or "–"


def _field(setting: KeySetting, now: Any, stored: bool) -> forms.Field:
    label, text = _(setting.label), _(setting.help)
    if isinstance(setting.default, bool):
        return forms.BooleanField(label=label, help_text=text, required=False, initial=now)
    if setting.choices:
        choices = [(value, _(name)) for value, name in setting.choices]
        return forms.ChoiceField(label=label, help_text=text, choices=choices, initial=now, required=False)
    if setting.secret:
        return _secret_field(label, text, stored)
    field = forms.CharField(
        label=label,
        help_text=" ".join(each for each in (text, _hint(setting)) if each),
        required=False,
        max_length=TEXT_AT_MOST,
        initial=now,
        widget=forms.TextInput(attrs={"class": "vTextField", "placeholder": setting.default, "spellcheck": "false"}),
    )
    field.validators.append(Line(setting))
    return field


def _secret_field(label: str, text: str, stored: bool) -> forms.Field:
    held = _("One is stored; empty keeps it.") if stored else _("None is stored.")
    field = forms.CharField(
        label=label,
        help_text=f"{text} {held}".strip(),
        required=False,
        max_length=TEXT_AT_MOST,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    field.validators.append(_check_secret)
    return field


def _check_secret(value: str) -> None:
    problem = keys.bad_secret(value)
    if problem:
        raise forms.ValidationError(problem)


def _hint(setting: KeySetting) -> str:
    if not setting.placeholders:
        return ""
    return _("Must contain %(names)s.") % {"names": _braced(setting.placeholders)}


def _braced(names: tuple[str, ...]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)


class Line:
    """What a line of text must be so that the translator can use it."""

    BROKEN = gettext_lazy("The braces do not match.")

    def __init__(self, setting: KeySetting) -> None:
        self.setting = setting

    def __call__(self, value: str) -> None:
        problem = self.problem(value)
        if problem:
            raise forms.ValidationError(problem)

    def problem(self, value: str) -> str:
        """A sentence; "" for a good line."""
        if not value.isprintable():
            return _("This contains characters that cannot be sent.")
        if str(self.setting.default).startswith("/"):
            if not value.startswith("/"):
                return _("A path starts with /.")
            if any(not 33 <= ord(character) <= 126 for character in value):
                return _("A path has neither spaces nor characters beyond plain ASCII.")
        return self._braces(value) if self.setting.placeholders else ""

    def _braces(self, value: str) -> str:
        try:
            parts = [part[1:] for part in Formatter().parse(value) if part[1] is not None]
        except ValueError:
            return str(self.BROKEN)
        needed, found = set(self.setting.placeholders), {str(name) for name, _format, _conversion in parts}
        if needed - found:
            missing = tuple(name for name in self.setting.placeholders if name not in found)
            return _("%(names)s must stand in it.") % {"names": _braced(missing)}
        if found - needed or any(spec or conversion for _name, spec, conversion in parts):
            return _("Only %(names)s may stand in braces.") % {"names": _braced(self.setting.placeholders)}
        return ""
