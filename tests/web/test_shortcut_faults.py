"""What goes wrong on the short way is told as Django tells it, and holds nobody up."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import orjson
import pytest
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import InterfaceError
from django.http import HttpRequest, HttpResponseBase
from django.test import override_settings

from discern.web import shortcut
from discern.web.accounts import services as accounts
from discern.web.api.counts import get_counts
from discern.web.api.middleware import RequestIdFilter
from discern.web.monitoring import middleware as monitoring
from discern.web.monitoring.middleware import GetResponse
from tests.fakes.engine import WordEngine
from tests.services import free_port
from tests.web.live import LiveSite
from tests.web.two_ways import GOOD, Ways

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def counts_in_a_redis_that_is_away() -> Iterator[None]:
    away = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": f"redis://127.0.0.1:{free_port()}/0",
    }
    with override_settings(RATE_COUNTS=None, CACHES={"default": away}):
        get_counts.cache_clear()
        yield
    get_counts.cache_clear()


@pytest.mark.parametrize("error", [InterfaceError("closed"), RuntimeError("unforeseen")])
def test_whatever_the_look_at_a_key_raises_is_answered_as_by_django(
    ways: Ways, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(_digest: str) -> bool:
        raise error

    ways.short()
    monkeypatch.setattr(accounts, "_stands", broken)
    by_site = ways.site()
    assert by_site.status.startswith("50")
    assert by_site.lasting() == ways.django().lasting()


def test_a_redis_that_is_away_is_answered_as_by_django(
    ways: Ways, request: pytest.FixtureRequest
) -> None:
    ways.short()
    request.getfixturevalue("counts_in_a_redis_that_is_away")
    by_site = ways.site()
    assert by_site.status == "503 Service Unavailable"
    assert by_site.headers["Retry-After"] == "2"
    assert orjson.loads(by_site.body)["request_id"] == by_site.headers["X-Request-Id"]
    assert by_site.lasting() == ways.django().lasting()


def test_counts_that_do_not_answer_are_waited_for_once(
    ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def late(name: str, *_: object) -> tuple[int, int]:
        asked.append(name)
        raise OSError("timed out")

    ways.short()
    monkeypatch.setattr(get_counts(), "add", late)
    assert ways.site().status == "500 Internal Server Error"
    assert len(asked) == 1


def test_what_is_logged_on_the_short_way_names_the_request_that_is_answered(
    ways: Ways, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.addFilter(RequestIdFilter())
    ways.short()
    request.getfixturevalue("counts_in_a_redis_that_is_away")
    request_id = ways.site().headers["X-Request-Id"]
    logged = [record for record in caplog.records if "counts requests" in record.getMessage()]
    assert [vars(record)["request_id"] for record in logged] == [request_id]


def test_numbers_that_cannot_be_kept_cost_one_count_and_are_answered_as_by_django(
    ways: Ways, engine: WordEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    before = int(ways.short().headers["RateLimit-Remaining"])
    with monkeypatch.context() as patched:
        patched.setattr(monitoring, "observe", full)
        by_site = ways.site()
    assert by_site.status == "500 Internal Server Error"
    assert int(ways.short().headers["RateLimit-Remaining"]) == before - 3


def witness(get_response: GetResponse) -> GetResponse:
    """A middleware of somebody else's."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers["X-Witness"] = request.headers["X-Forwarded-For"]
        return response

    return middleware


def test_a_middleware_that_an_operator_adds_sees_every_request(
    ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = f"{__name__}.{witness.__name__}"
    with override_settings(MIDDLEWARE=[*settings.MIDDLEWARE, added]):
        monkeypatch.setattr(ways, "_django", get_wsgi_application())
        for address in ("10.0.0.1", "10.0.0.2", "10.0.0.3"):
            answer = ways.site(HTTP_X_FORWARDED_FOR=address)
            assert answer.headers["X-Witness"] == address


def test_large_headers_are_not_kept(ways: Ways) -> None:
    for _ in range(2):
        assert ways.site(HTTP_X_PADDING="a" * shortcut.MOST_KIND_CHARS).status == "200 OK"
    assert not shortcut._learned


def test_what_a_balancer_writes_anew_into_each_request_makes_no_kind_of_its_own(
    ways: Ways,
) -> None:
    ways.short()
    before = ways.reached_django
    for number in range(3):
        ways.site(HTTP_X_AMZN_TRACE_ID=f"Root={number}", HTTP_CF_RAY=f"{number}-AMS")
    assert ways.reached_django == before


def test_who_has_no_key_is_refused_before_the_body_is_there(site: LiveSite) -> None:
    def head(key: str) -> bytes:
        return (
            f"POST {shortcut.PATH} HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\n"
            f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
            f"Connection: close\r\nContent-Length: {len(GOOD)}\r\n\r\n"
        ).encode()

    def answer(sent: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", site.port), timeout=10) as client:
            client.sendall(sent)
            return client.recv(12)

    for _ in range(8):  # both processes learn
        assert answer(head(site.key) + GOOD) == b"HTTP/1.1 200"
    for _ in range(8):
        assert answer(head("dk_unknown") + GOOD[:1]) == b"HTTP/1.1 401"
