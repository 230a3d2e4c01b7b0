"""The form behind Generate, for the page and for the command line: what it accepts, the vendor takes."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generations import budgets, ledger, queries
from generations.choices import MAX_COUNT, Params, choices_for, rules
from generations.forms.checks import MAX_SEED, picture_problems, settings_problems
from generations.forms.fields import (
    IdField,
    IdsField,
    LabelField,
    PromptField,
    SwitchField,
    UploadField,
    UploadsField,
    as_list,
)
from generations.forms.pictures import LIMITS, FilledSlot, Picture, Tray, fill_slots, in_places, look_up
from generations.forms.press import PressForm
from generations.forms.seen_by import SeenByField, seen_by
from generations.limits import Limit
from generations.models import ProviderKey, Task, User
from generations.models.tasks import MODE_CHOICES
from generations.providers import PROVIDERS, catalog
from generations.providers.base import MODES, ImageTransport, Mode
from generations.providers.catalog import Offer, Stock, Switch
from generations.stock import keys_for, stocks_of

SETTINGS = ("resolution", "duration", "aspect_ratio", *rules.WORDS, *rules.SWITCHES, "count")
TOO_LATE_TO_CHANGE = gettext_lazy("It has just been sent, so it was not changed. Nothing new was sent.")
NO_MODE = gettext_lazy("There is no such mode. Choose text2video, img2video, start-end2video or reference2video.")


class GenerateForm(PressForm):
    """Nothing is bent on submit: a value that the chosen model does not take is an error at its field.

    Left out means the model's default. Uploads that are good themselves survive a failed submit, see ``slots``.
    """

    remix_of = forms.UUIDField(required=False, widget=forms.HiddenInput, label=gettext_lazy("Remix of"))
    replaces = forms.UUIDField(required=False, widget=forms.HiddenInput, label=gettext_lazy("The clip to change"))
    mode = forms.ChoiceField(
        choices=[each for each in MODE_CHOICES if each[0] in MODES],
        label=gettext_lazy("Mode"),
        error_messages={"invalid_choice": NO_MODE},
    )
    key = forms.CharField(required=False, label=gettext_lazy("Key"))
    model = forms.CharField(label=gettext_lazy("Model"), error_messages={"required": gettext_lazy("Choose a model.")})
    prompt = PromptField(required=False, label=gettext_lazy("Prompt"))
    first_image = UploadField(label=gettext_lazy("First frame"))
    last_image = UploadField(label=gettext_lazy("Last frame"))
    images = UploadsField(label=gettext_lazy("Pictures"))
    first_asset = IdField(label=gettext_lazy("First frame"))
    last_asset = IdField(label=gettext_lazy("Last frame"))
    asset = IdsField(label=gettext_lazy("Pictures"))
    resolution = forms.CharField(required=False, label=gettext_lazy("Resolution"))
    duration = forms.IntegerField(required=False, label=gettext_lazy("Duration"))
    aspect_ratio = forms.CharField(required=False, label=gettext_lazy("Aspect ratio"))
    count = forms.IntegerField(required=False, min_value=1, max_value=MAX_COUNT, label=gettext_lazy("Variants"))
    seed = forms.IntegerField(required=False, min_value=0, max_value=MAX_SEED, label=gettext_lazy("Seed"))
    style = forms.CharField(required=False, label=gettext_lazy("Style"))
    movement_amplitude = forms.CharField(required=False, label=gettext_lazy("Movement"))
    audio_type = forms.CharField(required=False, label=gettext_lazy("Kind of sound"))
    wm_position = forms.CharField(required=False, label=gettext_lazy("Corner of the watermark"))
    wm_url = forms.URLField(
        required=False,
        max_length=500,
        assume_scheme="https",
        label=gettext_lazy("Own watermark (address of a picture)"),
    )
    meta_data = LabelField(label=gettext_lazy("Origin label (JSON)"))
    watermark = SwitchField(label=gettext_lazy("Watermark “AI-generated”"))
    is_rec = SwitchField(label=gettext_lazy("Let the vendor write the prompt"))
    audio = SwitchField(label=gettext_lazy("Sound"))
    bgm = SwitchField(label=gettext_lazy("Background music"))
    off_peak = SwitchField(label=gettext_lazy("Off-peak"))
    visibility = SeenByField(label=gettext_lazy("Visible to"))

    picture_limits = LIMITS

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        files: "MultiValueDict[str, UploadedFile[Any]] | None" = None,
        *,
        user: User,
        initial: dict[str, Any] | None = None,
        upload_limit: Limit | None = None,
    ) -> None:
        super().__init__(data, files, initial=initial)
        self.user, self.upload_limit = user, upload_limit
        self.offer: Offer | None = None
        self.pictures: list[Picture] = []
        self.fields["visibility"].offer(user)  # type: ignore[attr-defined]

    # --- What the page shows ---------------------------------------------------------------------------------

    @cached_property
    def keys(self) -> list[ProviderKey]:
        """Keys that take new work."""
        return keys_for(self.user)

    @cached_property
    def chosen_key(self) -> ProviderKey | None:
        """The key that was asked for, else the one this person used last, else the first; None without any."""
        asked = str(self["key"].value() or "")
        return self._key_named(asked) or self._usual_key()

    @cached_property
    def params(self) -> Params:
        """The settings as the page shows them: valid ones, with notes on what had to move."""
        wanted = {name: self[name].value() for name in SETTINGS}
        return choices_for(self.stock, str(self["mode"].value() or ""), str(self["model"].value() or ""), wanted)

    @cached_property
    def stock(self) -> Stock:
        """What can be ordered with the chosen key; without any key, what the first vendor sells."""
        return self.stocks[self.chosen_key.pk] if self.chosen_key else catalog.stock(next(iter(PROVIDERS)))

    @cached_property
    def stocks(self) -> dict[int, Stock]:
        """What can be ordered with each of the keys."""
        return stocks_of(self.keys)

    @property
    def offers_templates(self) -> bool:
        return any(stock.models(Mode.TEMPLATE) for stock in self.stocks.values())

    @cached_property
    def tight_budget(self) -> budgets.Standing | None:
        """The budget of key, person or team of which the least is left; None without one."""
        return budgets.tightest(self.user, self.chosen_key) if self.chosen_key else None

    @cached_property
    def slots(self) -> list[FilledSlot]:
        """The places for pictures, with those that an earlier submit or a remix left there."""
        if self.is_bound:
            self.is_valid()  # this is what collects the pictures
        return fill_slots(self.params.pictures.slots, self.pictures if self.is_bound else self._initial_pictures)

    @cached_property
    def left_out(self) -> int:
        """How many pictures chosen before have no place any more."""
        most = self.params.pictures.most
        return 0 if self.is_bound else sum(picture is not None for picture in self._initial_pictures[most:])

    @cached_property
    def _initial_pictures(self) -> list[Picture]:
        row = [_uuid_or_none(each) for each in as_list(self["asset"].value())]
        frames = [_uuid_or_none(self[name].value()) for name in ("first_asset", "last_asset")]
        found = look_up(self.user, [*row, *frames])
        named = self.params.pictures.named
        return in_places(named, [found.get(pk) for pk in row], [found.get(pk) for pk in frames])

    def _key_named(self, asked: str) -> ProviderKey | None:
        return next((key for key in self.keys if asked in (str(key.pk), key.label)), None)

    def _usual_key(self) -> ProviderKey | None:
        if len(self.keys) < 2:
            return next(iter(self.keys), None)
        last = Task.objects.filter(owner=self.user).order_by("-pk").values_list("key_id", flat=True).first()
        return next((key for key in self.keys if key.pk == last), self.keys[0])

    # --- What is accepted ------------------------------------------------------------------------------------

    def clean_key(self) -> ProviderKey:
        asked = self.cleaned_data["key"]
        key = self._key_named(asked) if asked else self._usual_key()
        if key is not None:
            return key
        if not self.keys:
            raise ValidationError(_("No key takes new work at the moment. An administrator has to look at the keys."))
        names = rules.any_of(f"“{each.label}”" for each in self.keys)
        raise ValidationError(_("This key takes no new work. Choose %(keys)s.") % {"keys": names})

    def clean_remix_of(self) -> Task | None:
        source = self.cleaned_data["remix_of"]
        task = queries.tasks_for(self.user).filter(pk=source).first() if source else None
        if source and task is None:
            raise ValidationError(_("The clip that this is a remix of is not there any more."))
        return task

    def clean_replaces(self) -> Task | None:
        """Whether it still waits is decided when the new one is made: not before, and not twice."""
        pk = self.cleaned_data["replaces"]
        task = Task.objects.filter(pk=pk, owner=self.user).first() if pk else None
        if pk and task is None:
            raise ValidationError(_("The clip that you are changing is not there any more."))
        return task

    def clean(self) -> dict[str, Any]:
        """Look at the pictures first, so that good ones are kept whatever else is wrong."""
        super().clean()
        key, mode = self.cleaned_data.get("key"), self.cleaned_data.get("mode", "")
        self.offer = self._find_offer(self.stocks[key.pk], mode) if key and mode else None
        if self.offer is not None:
            self._take_from_id(self.offer, self.cleaned_data.get("model") or "")
        tray = Tray(self.user, self.cleaned_data, self.upload_limit)
        self.pictures = tray.collect(mode, single=self.offer is not None and self.offer.max_images == 1)
        self._add(tray.problems)
        if self.offer is not None and key is not None:
            self._add(settings_problems(self.offer, self.cleaned_data))
            self._add(picture_problems(self.offer, self.pictures, key.translator, _transport(key)))
            self._check_budget(key)
        self.refuse_another_press()
        return self.cleaned_data

    def _check_budget(self, key: ProviderKey) -> None:
        """Only new work stops at the budget's end; what runs goes on. An unknown price needs some budget left."""
        total = self.params.cost.total
        if total is not None and total.unit != key.translator.unit:
            total = None  # a price in yuan says nothing of a budget in tokens
        free = self._held_by_replaced(key)
        for each in budgets.standings(self.user, key):
            now = replace(each, held=each.held - free)
            if not now.has_room_for(total.amount if total else None):
                self.refuse_for(now)
                return

    def _held_by_replaced(self, key: ProviderKey) -> Decimal:
        """What the clip that is being changed sets free on this key."""
        task = self.cleaned_data.get("replaces")
        holds = ledger.holds(task) if task else []
        mine = (hold.amount for hold in holds if hold.key_id == key.pk and hold.unit == key.translator.unit)
        return sum(mine, Decimal(0))

    def _find_offer(self, stock: Stock, mode: str) -> Offer | None:
        model = self.cleaned_data.get("model")
        models = stock.models(Mode(mode))
        words = {"mode": rules.mode_label(mode), "provider": rules.provider_name(stock.provider)}
        if mode in stock.closed:
            self.add_error("mode", stock.closed[Mode(mode)])
            return None
        if not models:
            self.add_error("mode", _("%(provider)s does not offer “%(mode)s”.") % words)
            return None
        offer = stock.get(model, Mode(mode)) if model else None
        if model and offer is None:
            words |= {"model": rules.model_label(model), "models": rules.any_of(each.label for each in models)}
            self.add_error("model", _("%(model)s is not offered for “%(mode)s”. Choose %(models)s.") % words)
        return offer

    def _take_from_id(self, offer: Offer, model: str) -> None:
        """A vendor's own id may fix settings; what was said beside it must agree."""
        for name, told in rules.fixed_by(offer, model).items():
            value = self.fields[name].clean(told)
            given = self.cleaned_data.get(name)
            if given in (None, ""):
                self.cleaned_data[name] = value
            elif given != value and not self.has_error(name):
                words = {"model": model, "setting": rules.setting_label(name)}
                self.add_error(name, _("The id %(model)s says otherwise: leave “%(setting)s” out.") % words)

    def _add(self, problems: Iterable[tuple[str, str]]) -> None:
        """One error a field is enough: the first is the cause of the others."""
        for field, sentence in problems:
            if not self.has_error(field):
                self.add_error(field, sentence)

    # --- What is made ----------------------------------------------------------------------------------------

    def order(self) -> dict[str, Any]:
        offer, asked = self.offer, self.cleaned_data
        if offer is None:
            raise ValueError("nothing was chosen")
        resolution = asked["resolution"] or offer.default_resolution
        duration = asked["duration"]
        return {
            "key": asked["key"],
            "offer": offer,
            "prompt": asked["prompt"],
            "duration": rules.default_duration(offer, resolution) if duration is None else duration,
            "resolution": resolution,
            "aspect_ratio": asked["aspect_ratio"] or offer.default_aspect_ratio,
            "seed": asked["seed"] or None,  # to the vendors 0 is a random one too
            "audio": self._switch(offer, "audio") if offer.audio in (Switch.OPTIONAL, Switch.DEFAULT_ON) else None,
            "off_peak": self._switch(offer, "off_peak"),
            "options": self._options(offer),
            "images": [picture for picture in self.pictures if picture],
            "count": asked["count"] or 1,
            **asked["visibility"],
            "remix_of": asked["remix_of"],
            "replaces": asked["replaces"],
        }

    def replaced_was_sent(self) -> None:
        """Say so, and keep what was typed: pressed again, this form makes one clip more."""
        self.add_error(None, TOO_LATE_TO_CHANGE)
        data = QueryDict(mutable=True)
        data.update(self.data)
        data.pop("replaces", None)
        self.data = data

    def _switch(self, offer: Offer, name: str) -> bool:
        value = self.cleaned_data[name]
        return rules.default_of(offer, name) if value is None else bool(value)

    def _options(self, offer: Offer) -> dict[str, Any]:
        """Only what was chosen: a vendor may refuse a field that has no effect."""
        asked = self.cleaned_data
        names = ["style", "movement_amplitude", "meta_data"]
        names += ["audio_type"] if self._switch(offer, "audio") else []
        names += ["wm_url"] if asked["watermark"] else []
        options = {name: asked[name] for name in names if asked[name]}
        options |= {name: True for name in ("watermark", "is_rec") if asked[name]}
        if asked["watermark"] and asked["wm_position"]:
            options["wm_position"] = int(asked["wm_position"])
        bgm = self._switch(offer, "bgm")
        return {**options, "bgm": bgm} if bgm or offer.bgm is Switch.DEFAULT_ON else options


def remix_of(task: Task) -> dict[str, Any]:
    """The ``initial`` for making something like this task again: all of it but the seed."""
    switches = {"audio": task.audio, "off_peak": task.off_peak}
    switches |= {name: task.options.get(name) for name in ("bgm", "watermark", "is_rec")}
    ids = [str(pk) for pk in task.task_inputs.order_by("position").values_list("asset_id", flat=True)]
    frames = dict(zip(("first_asset", "last_asset"), ids, strict=False)) if task.mode == Mode.START_END else {}
    return {
        "remix_of": str(task.pk),
        "mode": task.mode,
        "key": str(task.key_id),
        "model": task.model,
        "prompt": task.prompt_text,
        "resolution": task.resolution,
        "duration": task.duration,
        "aspect_ratio": task.aspect_ratio,
        "visibility": seen_by(task),
        **{name: str(task.options.get(name, "")) for name in (*rules.WORDS, "wm_url", "meta_data")},
        **{name: "on" if on else "off" for name, on in switches.items() if on is not None},
        **(frames or {"asset": ids}),
    }


def edit_of(task: Task) -> dict[str, Any]:
    """The ``initial`` for changing a task that waits: all of it, and what it is to take the place of."""
    return remix_of(task) | {"remix_of": str(task.remix_of_id or ""), "seed": task.seed, "replaces": str(task.pk)}


def _transport(key: ProviderKey) -> ImageTransport:
    return key.translator.image_transport(key.set_options)


def _uuid_or_none(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
