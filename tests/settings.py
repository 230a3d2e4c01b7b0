"""The project's settings on a scratch data directory, with a cheap password hasher and plain static names."""

import os
import tempfile

# Its own folder for every process of a test run; set before the real settings read it.
os.environ.setdefault("VIDEOFORGE_DATA", tempfile.mkdtemp(prefix="videoforge-test-"))

from videoforge.settings import *  # noqa: F403
from videoforge.settings import DATABASES, VIDEOFORGE_DATA

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# A file, not memory: worker and web of the route tests are other processes.
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"].setdefault("TEST", {})["NAME"] = str(VIDEOFORGE_DATA / "test.sqlite3")
# WhiteNoise warns about a folder that is not there; tests find static files through the finders.
(VIDEOFORGE_DATA / "static").mkdir(exist_ok=True)
WHITENOISE_USE_FINDERS = True
