"""Vidu's other services: fields and paths as its clients send them, and nothing else."""

import pytest

from generations.providers import PROVIDERS, catalog
from generations.providers.base import EXPERIMENTS, Account, Mode, Order

ACCOUNT = Account("https://api.vidu.com", "sandbox-not-a-real-key-0001")
SOURCE = {"source_id": "915200000000000099", "source_url": "https://media.example/video.mp4"}


def order(mode: Mode, model: str, resolution: str, duration: int, prompt: str = "", **over: object) -> Order:
    return Order(mode, model, prompt, "vf1.TOKEN", duration, resolution, **over)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "path", "body"),
    [
        (
            order(Mode.UPSCALE, "vidu-upscale", "4K", 0, **SOURCE),
            "/ent/v2/upscale-new",
            {
                "video_creation_id": "915200000000000099",
                "video_url": "https://media.example/video.mp4",
                "upscale_resolution": "4K",
                "payload": "vf1.TOKEN",
            },
        ),
        (
            order(Mode.EXTEND, "viduq2-pro", "720p", 6, "She walks on", **SOURCE),
            "/ent/v2/extend",
            {
                "model": "viduq2-pro",
                "video_creation_id": "915200000000000099",
                "video_url": "https://media.example/video.mp4",
                "prompt": "She walks on",
                "duration": 6,
                "resolution": "720p",
                "payload": "vf1.TOKEN",
            },
        ),
        (
            order(Mode.TEMPLATE, "vidu-template", "", 0, images=("data:,",), options={"template": "hugging"}),
            "/ent/v2/template",
            {"template": "hugging", "images": ["data:,"], "payload": "vf1.TOKEN"},
        ),
    ],
    ids=lambda each: each.mode.value if isinstance(each, Order) else "",
)
def test_it_is_sent_as_clients_send_it(asked: Order, path: str, body: dict[str, object]) -> None:
    call = PROVIDERS["vidu"].build_create(ACCOUNT, asked)
    assert call.url == ACCOUNT.base_url + path
    assert call.body == body


def test_only_vidu_has_experiments_and_none_is_in_the_catalogue() -> None:
    assert {offer.mode for offer in PROVIDERS["vidu"].experiments} == set(EXPERIMENTS)
    for slug, provider in PROVIDERS.items():
        assert not provider.experiments or slug == "vidu"
        assert not [offer for offer in catalog.offers(slug) if offer.mode in EXPERIMENTS]


def test_they_are_off_by_default() -> None:
    assert {each.name: each.default for each in PROVIDERS["vidu"].settings}["experiments"] is False
