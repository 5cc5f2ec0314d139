"""The site's own middlewares, from the outermost in."""

from __future__ import annotations

from typing import Final

OWN_MIDDLEWARES: Final = (
    "discern.web.api.middleware.RequestIdMiddleware",
    "discern.web.monitoring.middleware.ProbeMiddleware",
    "discern.web.monitoring.middleware.RequestMetricsMiddleware",
    "discern.web.security.SecurityHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)
"""What they do to a plain request depends on its headers alone, or the short way does it too
(:mod:`discern.web.shortcut`): whoever adds one looks there first."""
