"""What every vendor on this port shares."""

from dataclasses import dataclass

from .books import Books
from .faults import Faults
from .media import Media
from .studio import Folder


@dataclass(frozen=True)
class Stage:
    """``speed`` divides every pretended duration; ``short_side`` shrinks all clips to so many pixels."""

    books: Books
    folder: Folder
    media: Media
    faults: Faults
    speed: float = 1.0
    short_side: int | None = None
