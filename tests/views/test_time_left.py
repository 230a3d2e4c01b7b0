"""What a card says of time: learned figures only, in whole minutes, and honest when it takes longer."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from generations import time_left
from generations.models import Pace, ProviderKey, Task, User
from generations.pace import Expectation
from tests.factories import make_task
from tests.views.pages import signed_in

LEARNED = Expectation(170.0, 240.0, 350.0, learned=True)


def running(owner: User, seconds: float, **over: object) -> Task:
    """A task that was sent so long ago."""
    fields = {"state": "processing", "submitted_at": timezone.now() - timedelta(seconds=seconds), **over}
    return make_task(owner, **fields)


def learn(p10: float = 170.0, p50: float = 240.0, p90: float = 350.0, clips: int = 9) -> None:
    Pace.objects.create(
        provider="vidu", model="viduq3-turbo", mode="text2video", resolution="720p", duration=5,
        clips=clips, p10=p10, p50=p50, p90=p90,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (0, "about 4 min left"),
        (120, "about 2 min left"),
        (185, "about 1 min left"),
        (200, "less than a minute left"),
        (245, "usually 3–6 min"),
        (345, "usually 3–6 min"),
        (355, "taking longer than usual"),
        (9000, "taking longer than usual"),
    ],
)
def test_a_sentence_for_every_moment(alice: User, key: ProviderKey, passed: float, said: str) -> None:
    left = time_left.time_left(running(alice, passed), LEARNED)
    assert left
    assert left.sentence == said


@pytest.mark.parametrize(
    ("least", "most", "said"),
    [
        (11, 34, "usually 10–35 s"),
        (19, 21, "usually about 20 s"),
        (1, 2, "usually about 5 s"),
        (60, 100, "usually 1–2 min"),
        (170, 195, "usually about 3 min"),
        (5, 200, "usually 1–3 min"),
    ],
)
def test_usual_times_are_as_exact_as_experience(least: float, most: float, said: str) -> None:
    assert time_left.usually(least, most) == said


def test_only_what_was_learned_is_told(alice: User, key: ProviderKey) -> None:
    words = Expectation(10.0, 20.0, 30.0, learned=False)
    assert time_left.time_left(running(alice, 5), words) is None
    assert time_left.time_left(running(alice, 5), None) is None
    for state in ("waiting", "uncertain", "archiving", "succeeded"):
        assert time_left.time_left(running(alice, 5, state=state), LEARNED) is None
    assert time_left.time_left(running(alice, 5, submitted_at=None), LEARNED) is None
    assert time_left.time_left(running(alice, 5, poll_errors=3), LEARNED) is None


def test_card_and_page_say_it_and_give_the_browser_the_figures(alice: User, key: ProviderKey) -> None:
    learn()
    task = running(alice, 120)
    client = signed_in(alice)
    assert task.submitted_at
    for page in ("/", f"/tasks/{task.pk}/", "/?state=running"):
        html = client.get(page).content.decode()
        assert ">about 2 min left</p>" in html
        assert f'data-start="{int(task.submitted_at.timestamp())}" data-p50="240.0" data-p90="350.0"' in html
        for sentence in (
            "about {n} min left",
            "less than a minute left",
            "usually 3–6 min",
            "taking longer than usual",
        ):
            assert f'="{sentence}"' in html


def test_without_experience_nothing_is_promised(alice: User, key: ProviderKey) -> None:
    learn(clips=1)
    running(alice, 5)
    running(alice, 5, off_peak=True)
    assert "data-eta" not in signed_in(alice).get("/").content.decode()


def test_one_query_for_all_cards(alice: User, key: ProviderKey) -> None:
    learn()
    client = signed_in(alice)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get("/")
        return len(queries)

    running(alice, 5)
    few = count()
    for number in range(8):
        running(alice, number, duration=number + 1)
    assert count() == few


@pytest.mark.parametrize(
    ("fields", "silent"),
    [
        ({"poll_errors": 3}, True),
        ({"poll_errors": 2}, False),
        ({"poll_errors": 9, "state": "queued"}, True),
        ({"poll_errors": 9, "state": "archiving"}, False),
    ],
)
def test_a_vendor_that_does_not_answer_is_named(
    alice: User, key: ProviderKey, fields: dict[str, object], silent: bool
) -> None:
    last = timezone.now().replace(hour=0, minute=2, second=30)
    alice.time_zone = "UTC"
    alice.save()
    task = running(alice, 5, last_polled_at=last, **fields)
    client = signed_in(alice)
    for page in ("/", f"/tasks/{task.pk}/"):
        html = client.get(page).content.decode()
        assert ("Vendor not answering since 00:02" in html) == silent
