"""The engine whose models live in a model server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self, TypeVar
from urllib.parse import SplitResult, urlencode, urlsplit

from discern.engine.connections import AnswerLate, ConnectionLost, Connections
from discern.engine.gathering import Gatherer
from discern.engine.interface import ModelInfo
from discern.engine.wire import DEADLINE_HEADER, sentiment_from_wire
from discern.errors import (
    ConfigurationInvalid,
    DeadlineExceeded,
    DiscernError,
    EngineUnreachable,
    Unauthorized,
    error_from_dict,
)
from discern.recommendations.contract import (
    Filters,
    RecommendationList,
    RecommendationRequest,
    check_count,
    check_request,
)
from discern.recommendations.wire import filters_to_dict, list_from_dict, request_to_dict
from discern.text.contract import Sentiment, check_texts
from discern.vision.contract import (
    DEFAULT_THRESHOLD,
    DetectionResult,
    TextResult,
    detection_from_dict,
    text_from_dict,
)

T = TypeVar("T")

DEFAULT_TIMEOUT_S: Final = 30.0
CONNECT_TIMEOUT_S: Final = 2.0
GRACE_S: Final = 0.25
"""How much longer than the deadline to wait, so that the server's own account of it arrives."""
POOL_SIZE: Final = 32
RETRY_AFTER_S: Final = 1.0


class RemoteEngine:
    """Implements :class:`discern.engine.interface.Engine` over HTTP with kept-alive connections.

    As a context manager it closes them at the end of the block.

    Args:
        url: ``http://host:port`` of the model server.
        token: its bearer token, if it asks for one.
        timeout_s: the longest wait for an answer where a call names no deadline.

    Raises:
        ConfigurationInvalid: ``url`` is not an http address, or ``token`` cannot be sent.
    """

    def __init__(
        self, url: str, *, token: str | None = None, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> None:
        parts, port = _parts(url)
        if token and not (token.isascii() and token.isprintable()):
            raise ConfigurationInvalid("The token must be printable ASCII.", field="token")
        self._base = url.rstrip("/")
        self._timeout_s = timeout_s
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        self._headers = (
            "Content-Type: application/json\r\nAccept: application/json\r\n"
            f"{authorization}{DEADLINE_HEADER}: "
        )
        self._path = parts.path.rstrip("/")
        self._connections = Connections(
            parts.hostname or "",
            port,
            secure=parts.scheme == "https",
            most_idle=POOL_SIZE,
            connect_timeout_s=CONNECT_TIMEOUT_S,
        )
        self._gatherer = Gatherer(self._analyze)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def analyze(
        self,
        texts: Sequence[str],
        *,
        model: str | None = None,
        deadline_s: float | None = None,
    ) -> list[Sentiment]:
        """See :meth:`discern.engine.interface.Engine.analyze`."""
        checked = check_texts(texts if isinstance(texts, str | bytes) else list(texts))
        return self._gatherer.call(checked, model, self._deadline(deadline_s))

    def _analyze(self, texts: Sequence[str], model: str | None, deadline: float) -> list[Sentiment]:
        body: dict[str, Any] = {"texts": texts}
        if model is not None:
            body["model"] = model
        answer = self._call_by("POST", "/v1/analyze", body, deadline)
        return _read(answer, sentiment_from_wire, expected=len(texts))

    def detect_objects(
        self,
        image: bytes,
        *,
        model: str | None = None,
        threshold: float = DEFAULT_THRESHOLD,
        deadline_s: float | None = None,
    ) -> DetectionResult:
        """See :meth:`discern.engine.interface.Engine.detect_objects`."""
        query = {"threshold": repr(float(threshold))} | ({"model": model} if model else {})
        path = f"/v1/detect-objects?{urlencode(query)}"
        answer = self._call("POST", path, image, deadline_s)
        return _read_one(answer, detection_from_dict)

    def read_text(
        self, image: bytes, *, model: str | None = None, deadline_s: float | None = None
    ) -> TextResult:
        """See :meth:`discern.engine.interface.Engine.read_text`."""
        path = "/v1/read-text" + (f"?{urlencode({'model': model})}" if model else "")
        return _read_one(self._call("POST", path, image, deadline_s), text_from_dict)

    def recommend(
        self,
        request: RecommendationRequest,
        *,
        model: str | None = None,
        deadline_s: float | None = None,
    ) -> RecommendationList:
        """See :meth:`discern.engine.interface.Engine.recommend`."""
        body: dict[str, Any] = {"request": request_to_dict(check_request(request))}
        if model is not None:
            body["model"] = model
        return _read_one(self._call("POST", "/v1/recommend", body, deadline_s), list_from_dict)

    def similar_contents(
        self,
        content: str,
        *,
        n: int = 10,
        filters: Filters | None = None,
        model: str | None = None,
        deadline_s: float | None = None,
    ) -> RecommendationList:
        """See :meth:`discern.engine.interface.Engine.similar_contents`."""
        body: dict[str, Any] = {
            "content": content,
            "n": check_count(n),
            "filters": filters_to_dict(filters or Filters()),
        }
        if model is not None:
            body["model"] = model
        return _read_one(self._call("POST", "/v1/similar", body, deadline_s), list_from_dict)

    def models(self) -> list[ModelInfo]:
        """See :meth:`discern.engine.interface.Engine.models`."""
        answer = self._call("GET", "/v1/models", None, None)
        return _read(answer, lambda data: [ModelInfo(**item) for item in data["models"]])

    def ready(self) -> bool:
        """True when the server answers that it is; False when it does not answer at all."""
        try:
            self._call("GET", "/health/ready", None, CONNECT_TIMEOUT_S)
        except DiscernError:
            return False
        return True

    def close(self) -> None:
        """Closes the connections; they open again if the engine is used."""
        self._connections.close()

    def _call(self, method: str, path: str, body: Any, deadline_s: float | None) -> Any:
        return self._call_by(method, path, body, self._deadline(deadline_s))

    def _deadline(self, deadline_s: float | None) -> float:
        return time.monotonic() + (self._timeout_s if deadline_s is None else deadline_s)

    def _call_by(self, method: str, path: str, body: Any, deadline: float) -> Any:
        data = body if body is None or isinstance(body, bytes) else _encode(body).encode()
        left = deadline - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded("The time for this request ran out before it was sent.")
        headers = f"{self._headers}{left:.3f}\r\n"
        try:
            status, answer = self._connections.ask(
                method, self._path + path, headers, data, deadline + GRACE_S
            )
        except AnswerLate:
            raise DeadlineExceeded("The model server did not answer in time.") from None
        except ConnectionLost as error:
            raise EngineUnreachable.while_asked(
                f"The model server at {self._base} was lost while it was asked.",
                retry_after_s=RETRY_AFTER_S,
            ) from error
        except OSError as error:
            raise EngineUnreachable(
                f"The model server at {self._base} cannot be reached.", retry_after_s=RETRY_AFTER_S
            ) from error
        return _decode(status, answer)


_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _parts(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationInvalid(
            f"'{url}' is not an address like http://127.0.0.1:8600.", field="url"
        )
    return parts, port


def _decode(status: int, body: bytes) -> Any:
    try:
        answer = json.loads(body)
    except ValueError:
        raise _strange(f"status {status}") from None
    if status == 200:
        return answer
    error = answer.get("error") if isinstance(answer, Mapping) else None
    if isinstance(error, Mapping):
        raise error_from_dict(error)
    if status == 401:
        raise Unauthorized("The model server refused the token.")
    raise _strange(f"status {status}")


def _read(answer: Any, reader: Callable[[Any], list[T]], expected: int | None = None) -> list[T]:
    try:
        result = reader(answer)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _strange(f"an answer without {error}") from error
    if expected is not None and len(result) != expected:
        raise _strange(f"{len(result)} answers to {expected} texts")
    return result


def _read_one(answer: Any, reader: Callable[[Any], T]) -> T:
    [result] = _read(answer, lambda data: [reader(data)])
    return result


def _strange(what: str) -> EngineUnreachable:
    return EngineUnreachable(f"What answers at the model server's address gave {what}.")
