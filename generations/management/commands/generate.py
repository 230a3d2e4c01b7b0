import uuid
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.core.management.base import BaseCommand, CommandParser
from django.utils.datastructures import MultiValueDict

from generations.budgets import OverBudget
from generations.forms import GenerateForm
from generations.management.refusal import refuse
from generations.models import ProviderKey, User
from generations.providers.base import Mode

SETTINGS = ("duration", "resolution", "aspect_ratio")
OPTIONS = (
    "seed", "audio", "bgm", "style", "movement_amplitude", "off_peak", "visibility", "audio_type", "watermark",
    "wm_position", "wm_url", "meta_data", "is_rec",
)  # fmt: skip


class Command(BaseCommand):
    help = "Press Generate from the command line: the same form and the same rules as the page."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True)
        parser.add_argument("--key", required=True, help="label of the key")
        parser.add_argument("--mode", required=True, help=", ".join(Mode))
        parser.add_argument("--model", required=True, help="the vendor's own id, or the catalogue's name")
        parser.add_argument("--prompt", default="")
        parser.add_argument("--duration", default="")
        parser.add_argument("--resolution", default="")
        parser.add_argument("--aspect-ratio", default="")
        parser.add_argument("--image", action="append", default=[], help="a file; repeat for more")
        parser.add_argument("--count", default="1", help="variants")
        parser.add_argument("--option", action="append", default=[], help="k=v, for example seed=7; repeat for more")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        key = ProviderKey.objects.filter(label=options["key"]).first()
        if user is None:
            refuse(f"user: there is nobody called {options['user']!r}.")
        if key is None:
            refuse(f"key: there is no key with the label {options['key']!r}.")
        form = GenerateForm(_data(key, options), _files(options), user=user)
        if not form.is_valid():
            refuse(*_lines(form))
        try:
            tasks = form.save()
        except OverBudget as error:
            form.refuse_for(error.standing, unpriced=error.unpriced)
            refuse(*_lines(form))
        for task in tasks:
            self.stdout.write(str(task.pk))


def _data(key: ProviderKey, options: dict[str, Any]) -> dict[str, Any]:
    """What the page would send; the form takes the model's default for what is not given."""
    given = {name: options[name] for name in ("mode", "model", "prompt", "count") if options[name]}
    given |= {name: options[name] for name in SETTINGS if options[name]}
    for option in options["option"]:
        name, equals, value = option.partition("=")
        if not equals or name not in OPTIONS:
            refuse(f"option: write name=value with one of {', '.join(OPTIONS)}.")
        given[name] = value
    return given | {"key": key.pk, "request_id": str(uuid.uuid4())}


def _files(options: dict[str, Any]) -> MultiValueDict[str, UploadedFile[Any]]:
    """The named files under the names of the page's slots."""
    files: MultiValueDict[str, UploadedFile[Any]] = MultiValueDict()
    slots = ("first_image", "last_image") if options["mode"] == Mode.START_END else ()
    for place, name in enumerate(options["image"]):
        slot = slots[place] if place < len(slots) else "images"
        try:
            files.appendlist(slot, SimpleUploadedFile(Path(name).name, Path(name).read_bytes()))
        except OSError as error:
            refuse(f"image: {name} cannot be read ({error.strerror}).")
    return files


def _lines(form: GenerateForm) -> list[str]:
    return [f"{_argument(field)}: {' '.join(map(str, texts))}" for field, texts in form.errors.items()]


def _argument(field: str) -> str:
    return "image" if field in {"images", "first_image", "last_image"} else field
