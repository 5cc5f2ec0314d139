"""How the API's views speak, in the site and in a project that has other habits for its own."""

from __future__ import annotations

from typing import Any, Final, cast

from rest_framework.settings import DEFAULTS, IMPORT_STRINGS, APISettings

MANNERS: Final[dict[str, Any]] = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["discern.web.api.parsing.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["discern.web.api.parsing.JsonParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "discern.web.api.parsing.FirstRenderer",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "discern.web.accounts.authentication.KeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["discern.web.api.throttles.CallerThrottle"],
    "EXCEPTION_HANDLER": "discern.web.api.handler.handle",
}


def own_settings() -> APISettings:
    """Django REST framework's settings as these views have them, whatever the project's are."""
    return APISettings(cast(Any, dict(MANNERS)), DEFAULTS, IMPORT_STRINGS)
