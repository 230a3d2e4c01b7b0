"""What can be wrong with a copy, as far as it matters for what to do next."""

import errno

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class CopyError(Exception):
    """``str(error)`` is a sentence for the timeline; it holds no address.

    ``word`` says the same for a list of requests, ``status`` is HTTP's where an answer came.
    """

    word = "broke off"

    def __init__(self, sentence: str, *, word: str = "", status: int | None = None) -> None:
        super().__init__(sentence)
        self.word = word or self.word
        self.status = status


class LinkDead(CopyError):
    word = "link dead"


class NotAClip(CopyError):
    word = "not what it should be"


class WebPage(NotAClip):
    word = "web page"


class CopyFailed(CopyError):
    pass


class AddressRefused(CopyFailed):
    """The link leads where our requests may not go. The clip is there all the same: try again, it may be allowed."""

    word = "address refused"


class NotWritten(CopyError):
    """Our own disk or storage is the trouble; the link may be as good as ever."""

    word = "not written"


class Busy(CopyError):
    word = "busy"


def not_written(error: OSError) -> NotWritten:
    if error.errno in NO_ROOM:
        return no_room()
    return NotWritten(f"The copy could not be written ({error.strerror or error}).")


def no_room() -> NotWritten:
    return NotWritten("The disk is full. What was copied so far is kept, and the rest follows.", word="disk full")
