"""Addresses of the OpenAPI document and its page."""

from __future__ import annotations

from django.urls import path

from discern.web.api import schema

urlpatterns = [
    path("schema", schema.openapi, name="schema"),
    path("docs", schema.page, name="docs"),
]
