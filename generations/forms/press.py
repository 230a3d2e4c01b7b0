"""What every form behind a press has in common: one press is one batch, and the same press again changes nothing."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generations import alerts, lifecycle, limits, words
from generations.budgets import Standing
from generations.models import Batch, Role, Task, User

ALREADY_SENT = gettext_lazy("This form was sent before with other content. Nothing was made now: press Generate again.")


class PressForm(forms.Form):
    """A subclass says in ``order`` what is to be made, and calls ``refuse_another_press`` when all else is checked."""

    request_id = forms.UUIDField(required=False, initial=uuid4, widget=forms.HiddenInput)
    # An administrator may let one press through a budget that is used up, and says why.
    override = forms.CharField(
        required=False, max_length=200, strip=True, label=gettext_lazy("Reason to go over the budget, once")
    )
    user: User
    over: Standing | None = None  # the budget that stops this press

    def order(self) -> dict[str, Any]:
        """What ``lifecycle.create`` takes besides owner and request id; only of a form without errors."""
        raise NotImplementedError

    def refuse_for(self, standing: Standing, *, unpriced: bool = False) -> None:
        """The press does not fit into a budget; an administrator who gives a reason may go on."""
        self.over = standing
        if not self.overrides:
            if not unpriced:
                alerts.press_refused(standing)
            left = standing.left or Decimal(0)
            sentence = words.unpriced(standing.budget) if unpriced else words.over_budget(standing.budget, left)
            self.add_error("key" if "key" in self.fields else None, sentence)

    @property
    def may_override(self) -> bool:
        return self.over is not None and self.user.is_admin

    @property
    def overrides(self) -> str:
        """The reason of somebody who may give one, else ""."""
        return str(self.cleaned_data.get("override") or "") if self.user.is_admin else ""

    def clean_request_id(self) -> UUID:
        if self.user.role == Role.AUDITOR:
            raise ValidationError(_("Auditors look at everything and make nothing. Nothing was sent."))
        request_id: UUID = self.cleaned_data["request_id"] or uuid4()
        if Batch.objects.filter(request_id=request_id).exclude(owner=self.user).exists():
            raise ValidationError(_("This form was sent by somebody else already. Load the page again."))
        return request_id

    def refuse_another_press(self) -> None:
        """The browser's way back shows an old form: changed and sent again, it is not the press that it was."""
        if not self.errors and self._was_something_else():
            self.take_fresh_id()

    def take_fresh_id(self) -> None:
        """Say that this form was sent before as something else, and make its next press a new one."""
        self.add_error(None, ALREADY_SENT)
        data = QueryDict(mutable=True)
        data.update(self.data)
        data["request_id"] = str(uuid4())
        self.data = data

    def refuse_haste(self, locked: limits.Locked) -> None:
        said = _("Generate was pressed too often. Nothing was sent; wait %(seconds)d seconds and press it again.")
        self.add_error(None, said % {"seconds": locked.seconds})

    def save(self) -> list[Task]:
        """The new tasks, or for a request id that was used before those of its first press."""
        if not self.is_valid():
            raise ValueError("only a valid form can be saved")
        return lifecycle.create(
            owner=self.user,
            request_id=self.cleaned_data["request_id"],
            override=self.overrides,
            **self.order(),
        )

    def _was_something_else(self) -> bool:
        batch = Batch.objects.filter(request_id=self.cleaned_data["request_id"]).first()
        first = batch.tasks.order_by("position").first() if batch else None
        if batch is None or first is None:
            return False
        asked = self.order()
        offer, source, images = asked["offer"], asked.get("source"), asked.get("images", ())
        now = {
            "key_id": asked["key"].pk,
            "mode": offer.mode.value,
            "model": offer.model,
            "prompt_text": asked["prompt"],
            "resolution": asked["resolution"],
            "duration": asked["duration"],
            "aspect_ratio": asked.get("aspect_ratio", ""),
            "audio": asked.get("audio"),
            "off_peak": asked.get("off_peak", False),
            "options": asked.get("options", {}),
            "source_id": source and source.pk,
        }
        if asked.get("seed") is not None:  # without one, the vendor's choice stands there by now
            now["seed"] = asked["seed"]
        then = {name: getattr(first, name) for name in now}
        pictures = list(first.task_inputs.order_by("position").values_list("asset_id", flat=True))
        return (then, batch.size, pictures) != (now, asked.get("count", 1), [each.pk for each in images])
