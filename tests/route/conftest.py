from collections.abc import Iterator

import pytest

from tests.house import House


@pytest.fixture(scope="package")
def house() -> Iterator[House]:
    """One running house for all tests that do not break it."""
    opened = House(clip_height=144).start()
    yield opened
    opened.close()


@pytest.fixture
def own_house() -> Iterator[House]:
    """A house of one's own, to be killed and started again."""
    opened = House(clip_height=144).start()
    yield opened
    opened.close()
