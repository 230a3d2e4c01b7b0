"""Form fields that Django does not have: several files, several ids, a yes-or-no that may stay unsaid."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from generations.choices import rules


class SwitchField(forms.CharField):
    """on or off; None when nothing was said, so that the model's default holds.

    In a page a hidden "off" stands before the checkbox: the last value of a name counts.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)

    def clean(self, value: Any) -> Any:
        try:
            return rules.read_switch(value)
        except ValueError:
            raise ValidationError(_("Say on or off."), code="invalid") from None


class PromptField(forms.CharField):
    """Browsers send line ends as two characters; vendors would count both."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> str:
        text: str = super().to_python(value) or ""
        return text.replace("\r\n", "\n")


class LabelField(forms.CharField):
    """The origin label that a vendor writes into a clip: a JSON object of texts, kept as compact JSON text."""

    widget = forms.Textarea
    NAMES = (
        "Label", "ContentProducer", "ContentPropagator", "ProduceID", "PropagateID", "ReservedCode1", "ReservedCode2",
    )  # fmt: skip

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, max_length=4000, **kwargs)

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        if not text:
            return ""
        try:
            label = json.loads(text)
        except (ValueError, RecursionError):
            label = None
        if not isinstance(label, dict) or not all(isinstance(each, str) for each in label.values()):
            raise ValidationError(_('Write a JSON object of texts, for example {"Label": "AI"}.'), code="invalid")
        odd = [name for name in label if name not in self.NAMES]
        if odd:
            words = {"odd": odd[0][:40], "known": ", ".join(self.NAMES)}
            raise ValidationError(_("“%(odd)s” is no part of the label. There are %(known)s."), "invalid", words)
        return json.dumps(label, ensure_ascii=False)


class UploadField(forms.FileField):
    """One picture. Whether it is one, and even whether it is empty, is judged by ``assets``."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_empty_file=True, **kwargs)


class SeveralFiles(forms.FileInput):
    allow_multiple_selected = True


class UploadsField(UploadField):
    """Any number of pictures, as a list."""

    widget = SeveralFiles

    def clean(self, data: Any, initial: Any = None) -> "list[UploadedFile[Any]]":
        files = data if isinstance(data, list | tuple) else [data]
        return [super(UploadsField, self).clean(file, initial) for file in files if file]


class IdField(forms.UUIDField):
    """The id of a picture that was uploaded before; what is no id is the same as no picture."""

    widget = forms.HiddenInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)


class IdsField(forms.Field):
    """Such ids in order. A blank one leaves its place free for an upload."""

    widget = forms.MultipleHiddenInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)

    def clean(self, value: Any) -> list[UUID | None]:
        try:
            return [UUID(str(each)) if each else None for each in as_list(value)]
        except ValueError:
            raise ValidationError(_("This is not a picture of ours."), code="invalid") from None


def as_list(value: Any) -> Sequence[Any]:
    """One value or several, from a page or from a plain dictionary."""
    if value is None:
        return []
    return value if isinstance(value, list | tuple) else [value]
