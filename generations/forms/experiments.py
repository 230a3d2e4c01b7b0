"""The small forms of Vidu's other services: upscale and extend start from a clip, a template from pictures.

They are known from client code alone, so they are offered only with keys whose setting turns experiments on.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import RegexValidator
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generations import assets, budgets
from generations.forms.checks import picture_problems, settings_problems
from generations.forms.fields import PromptField, UploadsField
from generations.forms.press import PressForm
from generations.models import Asset, Creation, ProviderKey, Task, TaskState, User
from generations.providers.base import EXPERIMENTS, Mode
from generations.providers.catalog import Offer
from generations.stock import keys_for, stocks_of

FOLLOW_UPS = (Mode.UPSCALE, Mode.EXTEND)

if TYPE_CHECKING:
    Files = MultiValueDict[str, UploadedFile[Any]] | None


class ExperimentForm(PressForm):
    """What the three have in common: one key, one offer, one task."""

    mode: Mode

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        files: "Files" = None,
        *,
        user: User,
        offers: Mapping[int, list[Offer]],
    ) -> None:
        """``offers`` by primary key of the key that can make them; never empty."""
        super().__init__(data, files, auto_id=f"{self.mode.value}-%s")
        self.user = user
        self.offers = offers

    def _key(self) -> ProviderKey:
        raise NotImplementedError

    def _offer(self) -> Offer:
        here = self.offers[self._key().pk]
        wanted = self.cleaned_data.get("model")
        return next((offer for offer in here if offer.model == wanted), here[0])

    def _check(self, problems: Iterable[tuple[str, str]]) -> None:
        for field, sentence in problems:
            self.add_error(field if field in self.fields else None, sentence)
        tight = budgets.tightest(self.user, self._key())
        if tight is not None and not tight.has_room_for(None):
            self.refuse_for(tight)
        self.refuse_another_press()

    def order(self) -> dict[str, Any]:
        offer, asked = self._offer(), self.cleaned_data
        return {
            "key": self._key(),
            "offer": offer,
            "prompt": asked.get("prompt") or "",
            "resolution": asked.get("resolution") or offer.default_resolution,
            "duration": int(asked.get("duration") or offer.default_duration),
        }


class FollowUpForm(ExperimentForm):
    """Something made of a clip that we have, with the key that made it: the vendor knows it by that account."""

    resolution = forms.ChoiceField(required=False, label=gettext_lazy("Resolution"))

    def __init__(self, *args: Any, creation: Creation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.creation = creation
        offers = self.offers[creation.task.key_id]
        sizes = dict.fromkeys(each for offer in offers for each in offer.resolutions)
        self.fields["resolution"] = forms.ChoiceField(
            choices=[(size, size) for size in sizes], initial=offers[0].default_resolution, label=_("Resolution")
        )

    def _key(self) -> ProviderKey:
        return self.creation.task.key

    def clean(self) -> dict[str, Any]:
        super().clean()
        self._check(settings_problems(self._offer(), self.cleaned_data))
        return self.cleaned_data

    def order(self) -> dict[str, Any]:
        task = self.creation.task
        return super().order() | {
            "source": self.creation,
            "visibility": task.visibility,
            "team_id": task.team_id,
            "remix_of": task,
        }


class UpscaleForm(FollowUpForm):
    mode = Mode.UPSCALE


class ExtendForm(FollowUpForm):
    mode = Mode.EXTEND
    model = forms.ChoiceField(label=gettext_lazy("Model"))
    duration = forms.TypedChoiceField(coerce=int, label=gettext_lazy("Longer by"))
    prompt = PromptField(required=False, label=gettext_lazy("Prompt"), widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offers = self.offers[self.creation.task.key_id]
        lengths = sorted({each for offer in offers for each in offer.durations})
        self.fields["model"].choices = [(offer.model, offer.label) for offer in offers]  # type: ignore[attr-defined]
        self.fields["duration"].choices = [(each, f"{each} s") for each in lengths]  # type: ignore[attr-defined]
        self.fields["duration"].initial = offers[0].default_duration


class TemplateForm(ExperimentForm):
    """One of the vendor's scene templates, by its name, with pictures."""

    mode = Mode.TEMPLATE
    key = forms.ChoiceField(label=gettext_lazy("Key"))
    template = forms.CharField(
        max_length=60,
        label=gettext_lazy("Template"),
        help_text=gettext_lazy("Its name in the vendor's list, for example hugging."),
        validators=[RegexValidator(r"^[A-Za-z0-9_.-]+$", gettext_lazy("Letters, digits, _ . and - only."))],
    )
    images = UploadsField(label=gettext_lazy("Pictures"))
    prompt = PromptField(required=False, label=gettext_lazy("Prompt"), widget=forms.Textarea(attrs={"rows": 3}))
    aspect_ratio = forms.ChoiceField(required=False, label=gettext_lazy("Aspect ratio"))

    def __init__(self, *args: Any, keys: list[ProviderKey], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.keys = {str(key.pk): key for key in keys}
        offer = self.offers[keys[0].pk][0]
        ratios = [("", _("The template's own")), *((each, each) for each in offer.aspect_ratios)]
        self.fields["key"].choices = [(pk, key.label) for pk, key in self.keys.items()]  # type: ignore[attr-defined]
        self.fields["aspect_ratio"].choices = ratios  # type: ignore[attr-defined]
        self.pictures: list[Asset] = []

    def _key(self) -> ProviderKey:
        return self.keys.get(self.cleaned_data.get("key", ""), next(iter(self.keys.values())))

    def clean_images(self) -> list[Asset]:
        try:
            return [assets.store_upload(self.user, file) for file in self.cleaned_data["images"][:10]]
        except assets.BadImage as error:
            raise ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        super().clean()
        offer, key = self._offer(), self._key()
        images, transport = self.cleaned_data.get("images", []), key.translator.image_transport(key.set_options)
        told = [] if self.has_error("images") else picture_problems(offer, images, key.translator, transport)
        self._check([*settings_problems(offer, self.cleaned_data), *told])
        return self.cleaned_data

    def order(self) -> dict[str, Any]:
        asked = self.cleaned_data
        return super().order() | {
            "aspect_ratio": asked["aspect_ratio"],
            "images": asked["images"],
            "options": {"template": asked["template"]},
        }


FORMS: dict[Mode, type[FollowUpForm]] = {Mode.UPSCALE: UpscaleForm, Mode.EXTEND: ExtendForm}


def follow_ups(user: User, task: Task) -> dict[Mode, FollowUpForm]:
    """The forms for what can be made of this task's clip; none for most."""
    creation = next((each for each in task.creations.all() if each.remote_id and not each.watermarked), None)
    if creation is None or task.state != TaskState.SUCCEEDED:
        return {}
    offers = trials([key for key in keys_for(user) if key.pk == task.key_id])
    creation.task = task
    return {
        mode: FORMS[mode](user=user, offers=found, creation=creation)
        for mode in FOLLOW_UPS
        if (found := {pk: here for pk, here in offers.get(mode, {}).items() if pk == task.key_id})
    }


def trials(keys: list[ProviderKey]) -> dict[Mode, dict[int, list[Offer]]]:
    """The experiments that these keys can order: offers by mode and key."""
    found: dict[Mode, dict[int, list[Offer]]] = {}
    for pk, stock in stocks_of(keys).items():
        for mode in EXPERIMENTS:
            if mode not in stock.closed and (here := list(stock.models(mode))):
                found.setdefault(mode, {})[pk] = here
    return found


def template_form(user: User, data: Mapping[str, Any] | None = None, files: "Files" = None) -> TemplateForm | None:
    """The form for templates; None without a key that can order them."""
    keys = keys_for(user)
    offers = trials(keys).get(Mode.TEMPLATE, {})
    able = [key for key in keys if key.pk in offers]
    return TemplateForm(data, files, user=user, offers=offers, keys=able) if able else None
