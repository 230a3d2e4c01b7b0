"""The address under which a vendor fetches an input picture: open to its holder, for a while."""

from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import Settings

from generations import addresses
from generations.models import User
from tests.factories import make_asset

HOUSE = "https://videoforge.example"
HOUR = timedelta(hours=1)


def path_of(url: str) -> str:
    return url.removeprefix(HOUSE)


def test_input_picture_needs_no_sign_in(alice: User) -> None:
    asset = make_asset(alice)
    url = addresses.picture_url(asset, HOUSE, HOUR)
    assert url.startswith(f"{HOUSE}/media/inputs/")
    assert url.endswith("/picture.jpg")
    answer = Client().get(path_of(url))
    assert (answer.status_code, answer["Content-Type"], answer["X-Robots-Tag"]) == (200, "image/jpeg", "noindex")
    with asset.file.open("rb") as file:
        assert answer.getvalue() == file.read()


def test_it_expires(alice: User) -> None:
    asset = make_asset(alice)
    assert Client().get(path_of(addresses.picture_url(asset, HOUSE, timedelta(seconds=-1)))).status_code == 404


@pytest.mark.parametrize("token", ["x", "x:y:z", "WyJ4Il0:1:2", "..", "%00"])
def test_a_forged_one_is_not_found(token: str, db: None) -> None:
    assert Client().get(f"/media/inputs/{token}/picture.jpg").status_code == 404


def test_one_of_another_house_is_not_found(alice: User, settings: Settings) -> None:
    url = addresses.picture_url(make_asset(alice), HOUSE, HOUR)
    settings.SECRET_KEY = "another house altogether, with a key of its own"
    assert Client().get(path_of(url)).status_code == 404


def test_one_of_a_picture_that_is_gone_is_not_found(alice: User) -> None:
    asset = make_asset(alice)
    url = addresses.picture_url(asset, HOUSE, HOUR)
    asset.delete()
    assert Client().get(path_of(url)).status_code == 404


def test_who_can_reach_the_house(settings: Settings) -> None:
    settings.VIDEOFORGE_PUBLIC_URL, settings.LOCAL_URL = "", "http://127.0.0.1:8000"
    assert addresses.house_for("https://api.uniall.ai") == ""
    assert addresses.house_for("http://127.0.0.1:8900") == "http://127.0.0.1:8000"
    settings.VIDEOFORGE_PUBLIC_URL = HOUSE
    assert addresses.house_for("https://api.uniall.ai") == HOUSE
    settings.VIDEOFORGE_PUBLIC_URL = "http://127.0.0.1:8000"
    assert addresses.house_for("https://api.uniall.ai") == "", "a vendor does not reach our loopback"
