"""Django's settings, all derived from the typed environment; nothing is decided here twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from discern import __version__
from discern.web import host
from discern.web.api.rest import MANNERS
from discern.web.environment import load_site_environment
from discern.web.middlewares import OWN_MIDDLEWARES
from discern.web.processes import share_metrics
from discern.web.storage import caches, databases, file_storages

ENVIRONMENT = load_site_environment()

share_metrics(ENVIRONMENT)  # before anything imports prometheus_client, which decides then

DEBUG = ENVIRONMENT.debug
DEMO = ENVIRONMENT.demo
SECRET_KEY = ENVIRONMENT.signing_key
SECRET_KEY_FALLBACKS = ENVIRONMENT.secret_key_fallbacks
ALLOWED_HOSTS = ENVIRONMENT.allowed_hosts
ROOT_URLCONF = "discern.web.urls"
WSGI_APPLICATION = "discern.web.wsgi.application"
ASGI_APPLICATION = "discern.web.asgi.application"

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "discern.web.api",
    "discern.web.accounts",
    "discern.web.jobs",
    "discern.web.text",
    "discern.web.uploads",
    "discern.web.recommendations",
    "discern.web.monitoring",
]

MIDDLEWARE = list(OWN_MIDDLEWARES)

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": []},
    }
]

DATABASES = databases(ENVIRONMENT)
CACHES = caches(ENVIRONMENT)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
LANGUAGE_CODE = "en-us"

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
CONSOLE_FOLDER = Path(__file__).parent / "console_dist"
WHITENOISE_ROOT = CONSOLE_FOLDER if CONSOLE_FOLDER.is_dir() else None
WHITENOISE_INDEX_FILE = False

SESSION_COOKIE_NAME = "discern_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = ENVIRONMENT.https
CSRF_COOKIE_NAME = "discern_csrf"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = ENVIRONMENT.https
CSRF_FAILURE_VIEW = "discern.web.api.handler.csrf_failed"
CSRF_TRUSTED_ORIGINS = ENVIRONMENT.trusted_origins
SECURE_SSL_REDIRECT = ENVIRONMENT.https
SECURE_HSTS_SECONDS = 31_536_000 if ENVIRONMENT.https else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENVIRONMENT.proxies else None
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = ENVIRONMENT.max_body_bytes

STORAGES = file_storages(ENVIRONMENT)
UPLOAD_FIND = ENVIRONMENT.upload_find
UPLOAD_QUOTA_PICTURES = ENVIRONMENT.upload_quota_pictures
UPLOAD_QUOTA_BYTES = ENVIRONMENT.upload_quota_bytes
UPLOAD_RESUMABLE_HOURS = ENVIRONMENT.upload_resumable_hours
UPLOAD_EVENT_STREAMS = ENVIRONMENT.upload_event_streams

_OF_A_HOST = host.defaults()  # what a project that takes an app in needs, too
ENGINE_FACTORY: str = _OF_A_HOST["ENGINE_FACTORY"]
BROKER_URL: str = _OF_A_HOST["BROKER_URL"]
MODEL_SERVER_TIMEOUT_S: float = _OF_A_HOST["MODEL_SERVER_TIMEOUT_S"]
TEXT_JOB_MAX_BYTES: int = _OF_A_HOST["TEXT_JOB_MAX_BYTES"]
TEXT_JOB_MAX_ROWS = ENVIRONMENT.text_job_max_rows
JOB_LEASE_S: float = _OF_A_HOST["JOB_LEASE_S"]
WORKER_THREADS: int = _OF_A_HOST["WORKER_THREADS"]
IMPRESSION_DAYS: int = _OF_A_HOST["IMPRESSION_DAYS"]
RECOMMENDATION_EXPERIMENTS: dict[str, Any] = _OF_A_HOST["RECOMMENDATION_EXPERIMENTS"]
RATES: dict[str, Any] = _OF_A_HOST["RATES"]
RATE_COUNTS: Path | None = _OF_A_HOST["RATE_COUNTS"]
REST_FRAMEWORK: dict[str, Any] = {
    **MANNERS,
    "NUM_PROXIES": ENVIRONMENT.proxies,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "TEST_REQUEST_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Discern",
    "DESCRIPTION": (
        "The AI part of a web application. Send an API key as `Authorization: Bearer dk_...`; the "
        "console uses its session with an `X-CSRFToken` header. Every error is a problem document "
        "(RFC 9457) with a stable `code`."
    ),
    "VERSION": __version__,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": True,
    "ENUM_NAME_OVERRIDES": {
        "ImportKindEnum": [("contents", "contents"), ("interactions", "interactions")],
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "discern.web.api.schema.add_problems",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"},
    },
    "filters": {"request_id": {"()": "discern.web.api.middleware.RequestIdFilter"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["request_id"],
        }
    },
    "root": {"handlers": ["stderr"], "level": ENVIRONMENT.log_level},
    "loggers": {"django": {"handlers": [], "propagate": True}},
}
