"""Requests as a host application makes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from django.test import Client

API = "/api/v1"
JSON = "application/json"
MOMENT = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
SHELF = [f"text-{i}" for i in range(12)]


def post(api: Client, path: str, **body: Any) -> Any:
    return api.post(f"{API}/{path}", orjson.dumps(body), content_type=JSON)


def like(api: Client, person: str, *names: str, **more: Any) -> Any:
    events = [{"person": person, "content_id": name, "liked": True} for name in names]
    return post(api, "interactions", interactions=events, **more)
