"""A plain request takes a short way through the site; nobody can tell by the answer."""

from __future__ import annotations

import gzip
import itertools
import time
from typing import Any

import orjson
import pytest
from django.db import OperationalError, connection
from django.test import override_settings
from prometheus_client import REGISTRY

from discern.errors import DiscernError, InferenceFailed, Overloaded
from discern.web import shortcut
from discern.web.accounts import services as accounts
from discern.web.accounts.models import User
from discern.web.api.rates import Rate
from tests.doors.inputs import BAD_BODIES, GOOD_TEXTS
from tests.fakes.engine import WordEngine
from tests.web.live import LiveSite
from tests.web.two_ways import DIFFERS, GOOD, Ways


@pytest.mark.parametrize("text", GOOD_TEXTS, ids=lambda text: text[:20])
def test_each_good_text_has_the_same_answer_by_both_ways(ways: Ways, text: str) -> None:
    body = orjson.dumps({"text": text})
    by_django = ways.django(body)
    ways.site()
    before = ways.reached_django
    by_site = ways.site(body)
    assert by_site.lasting() == by_django.lasting()
    assert by_site.status == "200 OK"
    assert (ways.reached_django == before) == (len(body) <= shortcut.MOST_BYTES)


@pytest.mark.parametrize("bad", BAD_BODIES, ids=lambda bad: bad.name)
def test_each_bad_body_has_the_same_answer_by_both_ways(ways: Ways, bad: Any) -> None:
    ways.short()
    by_site = ways.site(bad.body)
    assert by_site.lasting() == ways.django(bad.body).lasting()
    assert orjson.loads(by_site.body)["code"] == bad.code


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        (b'{"text": "good", "record": false}', {}),
        (b'{"text": "good", "record": 1}', {}),
        (b'{"text": "good", "model": "words"}', {}),
        (b'{"texts": ["good", "bad"]}', {}),
        (b'{"text": "good", "text": "bad"}', {}),
        (b'{"text": "\\ud800"}', {}),
        (GOOD, {"HTTP_AUTHORIZATION": None}),
        (GOOD, {"HTTP_AUTHORIZATION": ""}),
        (GOOD, {"HTTP_AUTHORIZATION": "Bearer dk_unknown"}),
        (GOOD, {"HTTP_AUTHORIZATION": "Basic YTpi"}),
        (GOOD, {"HTTP_COOKIE": "discern_session=abc"}),
        (GOOD, {"HTTP_HOST": "evil.example"}),
        (GOOD, {"HTTP_HOST": None, "SERVER_NAME": "evil.example"}),
        (GOOD, {"HTTP_ORIGIN": "https://evil.example"}),
        (GOOD, {"HTTP_ACCEPT": "text/html"}),
        (GOOD, {"HTTP_X_REQUEST_ID": "of-the-caller"}),
        (GOOD, {"HTTP_X_REQUEST_ID": "not well formed"}),
        (GOOD, {"HTTP_X_FORWARDED_FOR": "10.0.0.1"}),
        (GOOD, {"HTTP_X_FORWARDED_PROTO": "https"}),
        (GOOD, {"wsgi.url_scheme": "https"}),
        (GOOD, {"CONTENT_TYPE": "application/json; charset=utf-8"}),
        (GOOD, {"CONTENT_TYPE": "text/plain"}),
        (GOOD, {"CONTENT_TYPE": None}),
        (GOOD, {"CONTENT_LENGTH": "5"}),
        (GOOD, {"CONTENT_LENGTH": "500"}),
        (GOOD, {"CONTENT_LENGTH": "-1"}),
        (GOOD, {"CONTENT_LENGTH": "+5"}),
        (GOOD, {"CONTENT_LENGTH": "\u00b2"}),
        (GOOD, {"CONTENT_LENGTH": None}),
        (GOOD, {"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "chunked"}),
        (gzip.compress(GOOD), {"HTTP_CONTENT_ENCODING": "gzip"}),
        (GOOD, {"QUERY_STRING": "x=1"}),
        (GOOD, {"REQUEST_METHOD": "GET"}),
        (GOOD, {"REQUEST_METHOD": "PUT"}),
        (GOOD, {"PATH_INFO": "/api/v1/analyze/"}),
        (GOOD, {"PATH_INFO": "/api/v1/analyses"}),
        (GOOD, {"SCRIPT_NAME": "/under"}),
    ],
)
def test_what_is_not_plain_has_the_same_answer_by_both_ways(
    ways: Ways, body: bytes, changes: dict[str, Any]
) -> None:
    ways.short()
    by_django = ways.django(body, **changes)
    for _ in range(2):  # the second may have been learned from the first
        by_site = ways.site(body, **changes)
        assert by_site.lasting() == by_django.lasting()
        assert ("X-Request-Id" in by_site.headers) == ("X-Request-Id" in by_django.headers)
    if changes.get("HTTP_X_REQUEST_ID") == "of-the-caller":
        assert by_site.headers["X-Request-Id"] == "of-the-caller"


def test_each_request_is_counted_once_whichever_way_it_goes(ways: Ways) -> None:
    left = [int(ways.site().headers["RateLimit-Remaining"]) for _ in range(4)]
    left.append(int(ways.django().headers["RateLimit-Remaining"]))
    left.append(int(ways.site(b'{"text": ""}').headers["RateLimit-Remaining"]))
    assert [before - after for before, after in itertools.pairwise(left)] == [1] * 5


def test_a_request_over_the_rate_is_refused_and_counted_once(ways: Ways) -> None:
    ways.short()
    with override_settings(RATES={"key": Rate(3, 60)}):
        assert ways.site().status == "200 OK"
        by_site, by_django = ways.site(), ways.django()
    assert by_site.status == "429 Too Many Requests"
    assert by_site.headers["RateLimit-Remaining"] == "0"
    assert int(by_site.headers.pop("Retry-After")) <= 60
    assert int(by_django.headers.pop("Retry-After")) > 0
    assert by_site.lasting()[:2] == by_django.lasting()[:2]
    with override_settings(RATES={"key": Rate(100, 60)}):
        assert ways.site().headers["RateLimit-Remaining"] == "94"  # two to learn by, four more


def test_a_revoked_key_is_refused_from_the_next_request_on(ways: Ways, person: User) -> None:
    ways.short()
    [key] = person.api_keys.all()
    accounts.revoke_key(owner=person, key_id=key.pk)
    assert ways.site().status == "401 Unauthorized"


def test_an_account_that_is_not_active_any_more_is_refused(ways: Ways, person: User) -> None:
    ways.short()
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert ways.site().status == "401 Unauthorized"


@pytest.mark.parametrize(
    "error", [Overloaded("Busy.", retry_after_s=3), InferenceFailed("It failed.")]
)
def test_an_error_of_the_engine_is_answered_as_by_django_and_asked_for_once(
    ways: Ways, engine: WordEngine, error: DiscernError
) -> None:
    ways.short()
    engine.failure = error
    by_django = ways.django()
    asked = len(engine.calls)
    by_site = ways.site()
    assert by_site.lasting() == by_django.lasting()
    assert len(engine.calls) == asked + 1
    engine.failure = None
    assert ways.site().status == "200 OK"


@pytest.mark.filterwarnings("ignore")
def test_a_fault_is_a_problem_that_names_the_request(
    ways: Ways, engine: WordEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways.short()
    monkeypatch.setattr(engine, "analyze", lambda *_, **__: 1 / 0)
    answer = ways.site()
    problem = orjson.loads(answer.body)
    assert (answer.status[:3], problem["code"]) == ("500", "internal_error")
    assert problem["request_id"] == answer.headers["X-Request-Id"]


def test_a_database_that_does_not_answer_is_the_problem_that_django_makes_of_it(
    ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_digest: str) -> bool:
        raise OperationalError("gone")

    ways.short()
    monkeypatch.setattr(accounts, "_stands", broken)
    by_site = ways.site()
    assert by_site.status == "503 Service Unavailable"
    assert by_site.lasting() == ways.django().lasting()


@pytest.mark.django_db(transaction=True)
def test_a_connection_past_its_age_is_replaced_by_the_short_way_too(
    ways_and_connections: Ways,
) -> None:
    ways_and_connections.short()
    old = connection.connection
    ways_and_connections.short()
    assert connection.connection is old
    connection.close_at = time.monotonic()
    ways_and_connections.short()
    assert connection.connection is not old


def test_both_ways_count_and_time_under_the_same_names(ways: Ways) -> None:
    labels = {"method": "POST", "route": "api/v1/analyze", "status": "200"}

    def counted() -> tuple[float, float, float]:
        return (
            REGISTRY.get_sample_value("http_requests_total", labels) or 0.0,
            REGISTRY.get_sample_value("http_request_seconds_count", {"route": "api/v1/analyze"})
            or 0.0,
            REGISTRY.get_sample_value(
                "model_predictions_total",
                {"model_name": "words", "model_version": "1.0.0", "outcome": "ok"},
            )
            or 0.0,
        )

    ways.short()
    before = counted()
    ways.django()
    between = counted()
    ways.short()
    after = counted()
    assert [b - a for a, b in zip(before, between, strict=True)] == [1, 1, 1]
    assert [b - a for a, b in zip(between, after, strict=True)] == [2, 2, 2]


def test_what_is_learned_is_bounded(ways: Ways) -> None:
    for number in range(shortcut.MOST_KINDS + 5):
        ways.site(HTTP_USER_AGENT=f"agent {number}")
    assert 0 < len(shortcut._learned) <= shortcut.MOST_KINDS


def test_a_request_that_was_refused_teaches_nothing(ways: Ways) -> None:
    for _ in range(2):
        ways.site(HTTP_USER_AGENT="one", HTTP_AUTHORIZATION="Bearer dk_unknown")
        ways.site(b"{}", HTTP_USER_AGENT="one")
    assert not shortcut._learned


def test_behind_the_real_server_the_first_answer_and_the_next_are_alike(site: LiveSite) -> None:
    with site.client() as client:
        answers = [client.post(shortcut.PATH, json={"text": "good"}) for _ in range(8)]
    heads = []
    for answer in answers:
        assert answer.status_code == 200
        assert answer.json() == answers[0].json()
        differs = {name.lower() for name in DIFFERS} | {"date"}
        heads.append({n: v for n, v in answer.headers.items() if n not in differs})
    assert all(head == heads[0] for head in heads)
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)
