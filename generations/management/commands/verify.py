import sys
from typing import Any

from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand

from generations import archive
from generations.models import Asset, Creation, CreationState


class Command(BaseCommand):
    help = "Re-hash every stored file; name each that differs or is missing, and exit 1 if there is one."

    def handle(self, *args: Any, **options: Any) -> None:
        checked, wrong = 0, 0
        for name, expected in self._files():
            checked += 1
            trouble = self._trouble(name, expected)
            if trouble:
                wrong += 1
                self.stdout.write(f"{trouble}: {name}")
        self.stdout.write(f"{checked} files checked, {wrong} wrong")
        if wrong:
            sys.exit(1)

    def _files(self) -> Any:
        stored = Creation.objects.filter(state=CreationState.STORED)
        for file, sha256, poster, poster_sha256 in stored.values_list(
            "file", "sha256", "poster", "poster_sha256"
        ).iterator():
            yield file, sha256
            if poster:
                yield poster, poster_sha256
        yield from Asset.objects.values_list("file", "sha256").iterator()

    def _trouble(self, name: str, expected: str) -> str:
        try:
            return "" if archive.sha256_of(default_storage, name) == expected else "differs"
        except FileNotFoundError:
            return "missing"
        except OSError as error:
            return f"unreadable ({error.strerror})"
