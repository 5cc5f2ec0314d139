"""Fetches one file over HTTP: goes on where it broke off, never takes more than was promised."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from discern.errors import DigestMismatch, DownloadFailed

CONNECT_TIMEOUT_S: Final = 10.0
READ_TIMEOUT_S: Final = 30.0
ATTEMPTS: Final = 5
_PIECE: Final = 256 * 1024


def download(
    address: str, part: Path, size: int, *, progress: Callable[[int], None] = lambda _count: None
) -> None:
    """Fetches ``address`` into ``part`` until it has ``size`` bytes, going on where ``part`` ends.

    An attempt that brought something forward is not counted against the limit of attempts.

    Raises:
        DownloadFailed: no connection, a refusal, or too many attempts; ``part`` is kept.
        DigestMismatch: the server sends more than ``size`` bytes.
    """
    attempts = 0
    while True:
        before = part.stat().st_size if part.is_file() else 0
        reason = _attempt(address, part, size, progress)
        there = part.stat().st_size if part.is_file() else 0
        if reason is None and there >= size:
            return
        attempts = attempts + 1 if there <= before else 1
        if attempts >= ATTEMPTS:
            raise DownloadFailed(
                f"{part.name} could not be fetched ({reason or 'it ended early'}); "
                f"{there:,} of {size:,} bytes are kept for the next try."
            )
        time.sleep(min(0.1 * 2**attempts, 2.0))


def _attempt(address: str, part: Path, size: int, progress: Callable[[int], None]) -> str | None:
    """One request, from where the part ends; None, or why it did not end well.

    Raises:
        DownloadFailed: an answer that trying again will not change.
    """
    import urllib3

    start = part.stat().st_size if part.is_file() else 0
    if start >= size:
        part.unlink()
        start = 0
    headers = {"Accept-Encoding": "identity", "User-Agent": "discern"}
    if start:
        headers["Range"] = f"bytes={start}-"
    redirects = urllib3.Retry(total=5, connect=0, read=0, status=0, other=0)
    timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S)
    try:
        with urllib3.PoolManager(timeout=timeout) as pool:
            answer = pool.request(
                "GET", address, headers=headers, preload_content=False, retries=redirects
            )
            with contextlib.closing(answer):
                if answer.status == 416:
                    part.unlink(missing_ok=True)
                    return "the server refused to go on"
                if answer.status >= 500 or answer.status == 429:
                    return f"the server answered {answer.status}"
                if answer.status not in (200, 206):
                    raise DownloadFailed(f"{part.name}: the server answered {answer.status}.")
                resumed = answer.status == 206 and _starts_at(answer.headers, start)
                _write(answer, part, start if resumed else 0, size, progress)
    except urllib3.exceptions.HTTPError as error:
        return _plainly(error)
    except OSError as error:
        raise DownloadFailed(f"{part} cannot be written: {error.strerror}.") from error
    return None


def _starts_at(headers: Mapping[str, str], start: int) -> bool:
    return headers.get("Content-Range", "").startswith(f"bytes {start}-")


def _write(
    answer: Any, part: Path, start: int, limit: int, progress: Callable[[int], None]
) -> None:
    """Appends at ``start``; never writes more than was promised, whatever the server sends."""
    with part.open("r+b" if start else "wb") as file:
        file.seek(start)
        count = start
        for piece in answer.stream(_PIECE):
            count += len(piece)
            if count > limit:
                raise DigestMismatch(
                    f"The server sends more than the {limit:,} bytes that the catalog promises."
                )
            file.write(piece)
            progress(count)


def _plainly(error: Exception) -> str:
    import urllib3

    if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason is not None:
        error = error.reason
    if isinstance(
        error, urllib3.exceptions.NewConnectionError | urllib3.exceptions.NameResolutionError
    ):
        return "there is no connection to the server"
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "the server does not answer"
    return "the connection broke off"
