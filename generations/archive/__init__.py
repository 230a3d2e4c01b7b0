"""Copy a remote file safely into storage, and see what it is. Knows nothing of tasks.

A copy is streamed into a part file (memory stays the same for any size), goes on where it broke off, is hashed while
it is written, its length compared with what the server announced, synced, and only then given its name.

    CopyError
    ├── LinkDead       the address is refused or gone: ask for a new one
    ├── NotAClip       what came is not a video (an empty or broken file)
    │   └── WebPage    it says itself that it is a page
    ├── CopyFailed     the source gives nothing now: try again
    │   └── AddressRefused   it is where our requests may not go
    ├── NotWritten     our own disk or storage is the trouble: try again
    └── Busy           somebody else is writing this part
"""

from generations.archive.clips import Facts, cover, frame_like, last_frame, picture, probe, still
from generations.archive.connections import ANSWER_SECONDS
from generations.archive.errors import (
    AddressRefused,
    Busy,
    CopyError,
    CopyFailed,
    LinkDead,
    NotAClip,
    NotWritten,
    WebPage,
)
from generations.archive.fetching import MAX_CLIP_BYTES, MAX_COVER_BYTES, Copied, download
from generations.archive.parts import Part, hold
from generations.archive.storing import KEEP_FREE_BYTES, check_room, place, sha256_of

__all__ = [
    "ANSWER_SECONDS",
    "KEEP_FREE_BYTES",
    "MAX_CLIP_BYTES",
    "MAX_COVER_BYTES",
    "AddressRefused",
    "Busy",
    "Copied",
    "CopyError",
    "CopyFailed",
    "Facts",
    "LinkDead",
    "NotAClip",
    "NotWritten",
    "Part",
    "WebPage",
    "check_room",
    "cover",
    "download",
    "frame_like",
    "hold",
    "last_frame",
    "picture",
    "place",
    "probe",
    "sha256_of",
    "still",
]
