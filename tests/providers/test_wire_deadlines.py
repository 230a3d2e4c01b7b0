"""When a link dies, read from the link: each storage signs in its own way."""

from datetime import UTC, datetime

import pytest

from generations.providers import wire
from generations.providers.base import Output
from generations.providers.reading import output

UNTIL = datetime(2026, 7, 10, 13, 5, tzinfo=UTC)
END = int(UNTIL.timestamp())
BEGIN = END - 3600

SIGNED = {
    "AWS": "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260710T120500Z&X-Amz-Expires=3600&X-Amz-Signature=0",
    "AWS V2": f"AWSAccessKeyId=a&Expires={END}&Signature=s%2F%3D",
    "OSS V1": f"Expires={END}&OSSAccessKeyId=a&Signature=s%3D",
    "OSS V4": "x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-date=20260710T120500Z&x-oss-expires=3600",
    "TOS": "X-Tos-Algorithm=TOS4-HMAC-SHA256&X-Tos-Date=20260710T120500Z&X-Tos-Expires=3600&X-Tos-Signature=0",
    "COS": f"q-sign-algorithm=sha1&q-sign-time={BEGIN};{END}&q-key-time={BEGIN};{END}&q-signature=0",
    "COS, escaped": f"q-sign-algorithm=sha1&q-sign-time={BEGIN}%3B{END}",
    "GCS": "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Date=20260710T120500Z&X-Goog-Expires=3600",
    "GCS V2": f"GoogleAccessId=a%40b&Expires={END}&Signature=s",
    "CloudFront": f"Expires={END}&Signature=s~&Key-Pair-Id=K",
    "both, the earlier": f"X-Amz-Date=20260710T120500Z&X-Amz-Expires=7200&Expires={END}",
}
NONSENSE = {
    "nothing": "x=1",
    "zero": "Expires=0",
    "negative": "Expires=-5",
    "seconds from now": "Expires=3600",
    "milliseconds": f"Expires={END}000",
    "the end of time": "Expires=253402300799",
    "larger than any clock": f"Expires={'9' * 30}",
    "a date": "Expires=Fri%2C+10+Jul+2026+13%3A05%3A00+GMT",
    "empty": "Expires=",
    "COS without an end": f"q-sign-time={BEGIN}",
    "COS, no numbers": "q-sign-time=now;later",
    "OSS for a year": "x-oss-date=20260710T120500Z&x-oss-expires=31536000",
    "TOS before its time": "X-Tos-Date=19700101T000000Z&X-Tos-Expires=3600",
    "GCS without a date": "X-Goog-Expires=3600",
    "another's date": "X-Goog-Date=20260710T120500Z&X-Tos-Expires=3600",
}


@pytest.mark.parametrize("query", SIGNED.values(), ids=SIGNED)
def test_a_signature_tells_when_its_link_dies(query: str) -> None:
    assert wire.link_deadline(f"https://a.example/v.mp4?{query}") == UNTIL


@pytest.mark.parametrize("query", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_no_deadline(query: str) -> None:
    assert wire.link_deadline(f"https://a.example/v.mp4?{query}") is None


def test_outputs_carry_what_their_links_tell() -> None:
    made = output(0, f"https://a.example/v.mp4?{SIGNED['GCS']}", cover_url="https://a.example/c.jpg")
    assert isinstance(made, Output)
    assert (made.expires_at, made.cover_expires_at) == (UNTIL, None)
