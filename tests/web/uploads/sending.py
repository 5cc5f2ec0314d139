"""What the tests of uploads do: send, work, look at the storage."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from discern.web.jobs import services as jobs
from discern.web.jobs.outcome import Outcome, run
from discern.web.jobs.registry import kind_named
from tests.fakes.pictures import picture

API = "/api/v1/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
PART = "application/offset+octet-stream"


@dataclass
class NamedFile:
    """A file whose name reaches the service as the client gave it."""

    name: str | None
    content: bytes

    def read(self, num_bytes: int = -1) -> bytes:
        return self.content


def send(client: Client, *contents: bytes, name: str = "photo.jpg", **headers: Any) -> Any:
    sent = [SimpleUploadedFile(name, content) for content in contents]
    return client.post(API, {"files": sent}, **headers)


def upload(client: Client, content: bytes | None = None) -> dict[str, Any]:
    response = send(client, content if content is not None else picture())
    assert response.status_code == 202, response.content
    found: dict[str, Any] = response.json()["uploads"][0]
    return found


def work() -> Outcome | None:
    """What a worker does: claims the next row and runs it."""
    kind = kind_named("picture")
    claims = jobs.claim_next(owner="test", among=[kind], limit=1)
    return run(claims[0], stopping=threading.Event()) if claims else None


def stored(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def at_once(count: int, act: Callable[[], Any]) -> list[Any]:
    """What ``act`` returned in threads that start together."""
    barrier = threading.Barrier(count)

    def one(_: int) -> Any:
        barrier.wait()
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def begin(client: Client, content: bytes, name: str = "photo.jpg", **told: str) -> str:
    metadata = {"filename": name, **told}
    response = client.post(
        f"{API}/resumable",
        HTTP_UPLOAD_LENGTH=str(len(content)),
        HTTP_UPLOAD_METADATA=",".join(
            f"{key} {b64encode(value.encode()).decode()}" for key, value in metadata.items()
        ),
        headers=TUS,
    )
    assert response.status_code == 201, response.content
    return str(response["Location"])


def part(client: Client, location: str, offset: int, data: bytes) -> Any:
    return client.patch(
        location, data, content_type=PART, HTTP_UPLOAD_OFFSET=str(offset), headers=TUS
    )
