"""Django's handle on this app."""

from __future__ import annotations

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "discern.web.monitoring"
    label = "monitoring"
