import sys
from collections.abc import Iterator
from typing import Any

from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand
from django.db.models import QuerySet

from generations import archive
from generations.models import Asset, Creation, CreationState

ROWS = 200  # a read that is open for hours would keep the database from tidying its log


class Command(BaseCommand):
    help = "Re-hash every stored file; name each that differs or is missing, and exit 1 if there is one."

    def handle(self, *args: Any, **options: Any) -> None:
        files, size, troubles = 0, 0, 0
        for name, expected in _files():
            files += 1
            try:
                trouble = "" if archive.sha256_of(default_storage, name) == expected else "differs"
                size += default_storage.size(name)
            except FileNotFoundError:
                trouble = "missing"
            except OSError as error:
                trouble = f"unreadable ({error.strerror})"
            if trouble:
                troubles += 1
                self.stdout.write(f"{trouble}: {name}")
                self.stdout.flush()
        self.stdout.write(f"{files} files, {size} bytes, {troubles} troubles")
        if troubles:
            sys.exit(1)


def _files() -> Iterator[tuple[str, str]]:
    """Name and hash of each clip, poster and picture."""
    stored = Creation.objects.filter(state=CreationState.STORED)
    for _, file, sha256, poster, poster_sha256 in _rows(stored, "file", "sha256", "poster", "poster_sha256"):
        yield file, sha256
        if poster:
            yield poster, poster_sha256
    for _, file, sha256 in _rows(Asset.objects.all(), "file", "sha256"):
        yield file, sha256


def _rows(table: QuerySet[Any], *columns: str) -> Iterator[tuple[Any, ...]]:
    """All of them in the order of their ids, some at a time."""
    ordered = table.order_by("pk").values_list("pk", *columns)
    rows = list(ordered[:ROWS])
    while rows:
        yield from rows
        rows = list(ordered.filter(pk__gt=rows[-1][0])[:ROWS])
