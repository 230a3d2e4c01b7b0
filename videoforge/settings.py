"""All settings. No variable is required: without any, everything lives under ``./var`` and listens on loopback."""

import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
from cryptography.fernet import Fernet
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _
from environs import Env

from videoforge.secrets import kept_secret

# Django's own classes take type arguments only in the stubs; this lets the code name them.
django_stubs_ext.monkeypatch()

env = Env()
BASE_DIR = Path(__file__).resolve().parent.parent

# Where things are ----------------------------------------------------------------------------------------
HOST = env.str("HOST", "127.0.0.1")
PORT = env.int("PORT", 8000)
DEBUG = env.bool("DEBUG", False)
VIDEOFORGE_DATA = Path(env.str("VIDEOFORGE_DATA", str(BASE_DIR / "var"))).resolve()
VIDEOFORGE_DATA.mkdir(parents=True, exist_ok=True, mode=0o700)
os.umask(0o077)  # clips, sessions and prompts are for the owner of this process alone
VIDEOFORGE_PUBLIC_URL = env.str("VIDEOFORGE_PUBLIC_URL", "").rstrip("/")
PUBLIC = urlsplit(VIDEOFORGE_PUBLIC_URL)
LOCAL_URL = f"http://127.0.0.1:{PORT}"  # as a program on this machine reaches us

# Secrets -------------------------------------------------------------------------------------------------
SECRET_KEY = env.str("VIDEOFORGE_SECRET_KEY", "") or kept_secret(
    VIDEOFORGE_DATA / "secret_key", lambda: secrets.token_urlsafe(48)
)
# Newest first; the first one encrypts, all of them decrypt.
VIDEOFORGE_ENCRYPTION_KEYS: list[str] = env.list("VIDEOFORGE_ENCRYPTION_KEYS", []) or kept_secret(
    VIDEOFORGE_DATA / "encryption_keys", lambda: Fernet.generate_key().decode()
).split(",")

# Who may ask ---------------------------------------------------------------------------------------------
LOOPBACK_NAMES = ["127.0.0.1", "localhost", "[::1]"]
ALLOWED_HOSTS = [*LOOPBACK_NAMES, *([PUBLIC.hostname] if PUBLIC.hostname else [])]
CSRF_TRUSTED_ORIGINS = [VIDEOFORGE_PUBLIC_URL] if PUBLIC.hostname else []
SECURE_ON = PUBLIC.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_ON
SESSION_ENGINE = "generations.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE_ON else None
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_ON else 0
# The proxy that holds the certificate redirects, programs of this machine ask us without; and what other names of the
# operator's domain do is not for us to promise.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "media-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# Parts ---------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "generations",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_q",
    "heroicons",
    "csp",
    "auditlog",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",  # outside of all that may answer by itself, errors included
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "generations.sessions.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "generations.middleware.bounded_bodies",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "generations.middleware.person_preferences",
    "generations.middleware.htmx_sign_in",
    "generations.middleware.auditors_only_look",
    "generations.middleware.kept_private",
    "generations.audit.AuditMiddleware",
]
ROOT_URLCONF = "videoforge.urls"
WSGI_APPLICATION = "videoforge.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "generations.views.frame.frame",
            ],
        },
    }
]

# Database ------------------------------------------------------------------------------------------------
# IMMEDIATE: a transaction that reads first and then writes would fail at once under another writer.
# WAL + NORMAL: readers never wait; a power cut can lose the last commits but never corrupts.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;"
    " PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-16000;",
}
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.dj_db_url("DATABASE_URL", f"sqlite:///{VIDEOFORGE_DATA / 'videoforge.sqlite3'}")
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = SQLITE_OPTIONS
DATABASES["default"]["CONN_MAX_AGE"] = 60
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Cache ---------------------------------------------------------------------------------------------------
# What counts tries at signing in, so it is one for all processes and its add() must be atomic. That of a table is, by
# the transaction around it; of files it is not (of 200 places four processes got 208); memory is each process's own.
# Nothing may rely on incr(), which a table does not do in one step. Above MAX_ENTRIES a third is thrown away: far above
# what honest use needs, for whoever fills it would have limits forgotten.
REDIS_URL = env.str("REDIS_URL", "")
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "videoforge_cache",
        "OPTIONS": {"MAX_ENTRIES": 50_000},
    },
    # django-q notes twice a second how it does, for nobody but itself.
    "own": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}
if REDIS_URL:
    CACHES["default"] = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}

# Background work -----------------------------------------------------------------------------------------
# The queue only wakes people up: attempts, leases and next times are kept in our own tables, so django-q never
# retries by itself (max_attempts, ack_failures) and keeps no results (save_limit -1 is four times faster).
# Thirteen workers: two for the heartbeat and its standby, up to seven that send, three that copy, one for all else.
# retry must exceed timeout * (ceil((queue_limit + 1) / workers) + 1) = 280 * 2 = 560.
Q_CLUSTER = {
    "name": "videoforge",
    "label": "Job queue",
    "orm": "default",
    "cache": "own",
    "workers": 13,
    "queue_limit": 4,
    "bulk": 1,
    "timeout": 280,
    "retry": 900,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "poll": 0.2,
    "catch_up": False,
    "recycle": 500,
    "max_rss": 400_000,
    "log_level": "WARNING",
}

# What became of unclear creates, and what is kept of talks with vendors ------------------------------------
NOT_CREATED_AFTER = timedelta(minutes=3)  # between two complete listings that both lack it
# Where alerts go besides the admin's list: mail to these people (else to all administrators), chat services by apprise.
VIDEOFORGE_ALERT_EMAILS: list[str] = env.list("VIDEOFORGE_ALERT_EMAILS", [])
VIDEOFORGE_ALERT_URLS: list[str] = env.list("VIDEOFORGE_ALERT_URLS", [])
VIDEOFORGE_SENDS_MAIL = bool(env.str("EMAIL_URL", ""))
if VIDEOFORGE_SENDS_MAIL:
    mail = env.dj_email_url("EMAIL_URL")
    EMAIL_HOST, EMAIL_PORT = mail["EMAIL_HOST"], mail["EMAIL_PORT"]
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = mail["EMAIL_HOST_USER"], mail["EMAIL_HOST_PASSWORD"]
    EMAIL_USE_TLS, EMAIL_USE_SSL, EMAIL_TIMEOUT = mail["EMAIL_USE_TLS"], mail["EMAIL_USE_SSL"], 20
    EMAIL_BACKEND = mail["EMAIL_BACKEND"]
    DEFAULT_FROM_EMAIL = env.str("VIDEOFORGE_MAIL_FROM", "videoforge@localhost")
EVIDENCE_DAYS = env.int("VIDEOFORGE_EVIDENCE_DAYS", 90)

# Files ---------------------------------------------------------------------------------------------------
MEDIA_ROOT = VIDEOFORGE_DATA / "media"  # never served by its address; views check permission first
STATIC_URL = "/static/"
STATIC_ROOT = VIDEOFORGE_DATA / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Eight pictures of 50 MB is far above what a vendor takes; single pictures are checked in the form.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# People and languages ------------------------------------------------------------------------------------
AUTH_USER_MODEL = "generations.User"
AUTHENTICATION_BACKENDS = ["generations.roles.RolesBackend"]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
# One provider of OpenID Connect; who it vouches for is let in if they are somebody here, invited, or of these domains.
VIDEOFORGE_OIDC_URL = env.str("VIDEOFORGE_OIDC_URL", "").rstrip("/")
VIDEOFORGE_OIDC_CLIENT_ID = env.str("VIDEOFORGE_OIDC_CLIENT_ID", "")
VIDEOFORGE_OIDC_SECRET = env.str("VIDEOFORGE_OIDC_SECRET", "")
VIDEOFORGE_OIDC_NAME = env.str("VIDEOFORGE_OIDC_NAME", "") or _("Single sign-on")
VIDEOFORGE_OIDC_DOMAINS: list[str] = env.list("VIDEOFORGE_OIDC_DOMAINS", [])
VIDEOFORGE_OIDC_ONLY = env.bool("VIDEOFORGE_OIDC_ONLY", False)
# django-allauth, as generations.sign_in bends it. Which of its pages exist is said in generations.account_urls.
ACCOUNT_ADAPTER = "generations.sign_in.adapters.Accounts"
SOCIALACCOUNT_ADAPTER = "generations.sign_in.people.SsoPeople"
MFA_ADAPTER = "generations.sign_in.adapters.SecondSteps"
ACCOUNT_FORMS = {"login": "generations.sign_in.forms.SignInForm"}
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # who may come in was decided by whoever invited them
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_USER_DISPLAY = "generations.sign_in.adapters.name_of"
ACCOUNT_RATE_LIMITS = {"login": "60/m/ip", "login_failed": "30/5m/ip,5/5m/key"}  # wrong passwords: sign_in.throttle
SOCIALACCOUNT_LOGIN_ON_GET = True  # a form that leads elsewhere is against the policy of our pages; see views.sign_in
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "login_webauthn": "generations.sign_in.forms.PasskeySignIn",
    "authenticate_webauthn": "generations.sign_in.forms.PasskeyStep",
    "reauthenticate_webauthn": "generations.sign_in.forms.PasskeyConfirm",
    "add_webauthn": "generations.sign_in.forms.PasskeyAdd",
}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "VideoForge"
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_ALLOW_UNVERIFIED_EMAIL = True
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
# Who changed what. A correlation id from a header would be whatever somebody sends.
AUDITLOG_CID_HEADER = ""
AUDITLOG_USE_FK_STRING_REPRESENTATION = True
USE_TZ = True
TIME_ZONE = env.str("VIDEOFORGE_TIME_ZONE", "UTC")  # of the books: days and months of reports and budgets
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "generations" / "locale"]
FORMAT_MODULE_PATH = ["videoforge.formats"]
LANGUAGE_COOKIE_NAME = "videoforge_language"

# What is said --------------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    # Addresses can open something: each handler has this filter.
    "filters": {"secret_addresses": {"()": "generations.logs.SecretAddresses"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["secret_addresses"]},
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "videoforge": {"level": "INFO"},
        # httpx logs every request address at INFO; signed links do not belong in a log.
        "httpx": {"level": "WARNING"},
        # These would bring handlers of their own, without the filter.
        **{
            name: {"handlers": [], "propagate": True}
            for name in ("django", "django.server", "gunicorn.error", "gunicorn.access")
        },
    },
}
