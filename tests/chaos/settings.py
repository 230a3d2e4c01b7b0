"""The project's settings in a hurry: what takes minutes at a real vendor takes seconds at this one."""

from datetime import timedelta

from videoforge.settings import *  # noqa: F403
from videoforge.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.haste.Haste"]
NOT_CREATED_AFTER = timedelta(seconds=8)
