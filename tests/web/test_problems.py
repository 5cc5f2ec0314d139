"""Every way a request can go wrong ends in a problem document with a stable code."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

import discern.web
from discern.errors import DiscernError, InvalidInput, errors_by_code
from discern.web.accounts.models import User
from discern.web.api import throttles
from discern.web.api.handler import _DRF_CODES
from discern.web.api.problems import STATUS_BY_CODE, problem_of, retry_after
from discern.web.api.rates import Rate
from discern.web.environment import Environment
from tests.fakes.engine import WordEngine
from tests.web.live import ROOT

ANALYZE = "/api/v1/analyze"
WEB_API = ROOT / "docs" / "web-api.md"


def _core(module: str = "discern.errors") -> dict[str, type[DiscernError]]:
    return {code: cls for code, cls in errors_by_code().items() if cls.__module__ == module}


def check(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.headers["Content-Type"] == "application/problem+json", answer.content
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    assert body["status"] == status
    assert body["type"] == f"urn:discern:problem:{code}"
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer.headers["X-Request-Id"]
    return body


def test_every_core_error_has_a_status() -> None:
    assert set(_core()) <= set(STATUS_BY_CODE)


def _own(root: type[DiscernError]) -> set[str]:
    """The codes of the errors that the web's rooms define themselves."""
    codes = {root.code} if root.__module__.startswith("discern.web.") else set()
    return codes.union(*(_own(child) for child in root.__subclasses__()))


def test_every_code_the_web_can_answer_is_in_the_documents_table_with_its_status() -> None:
    for module in pkgutil.walk_packages(discern.web.__path__, "discern.web."):
        if module.name.endswith(".errors"):
            importlib.import_module(module.name)
    told: dict[str, set[int]] = {}
    for line in WEB_API.read_text(encoding="utf-8").splitlines():
        if row := re.match(r"\| ([\d, ]+) \| ([^|]+) \|", line):
            for code in re.findall(r"`(\w+)`", row[2]):
                told[code] = {int(status) for status in row[1].split(",")}
    answered = set(STATUS_BY_CODE) | set(_DRF_CODES.values())
    assert _own(DiscernError) <= set(STATUS_BY_CODE)
    assert set(told) == answered
    assert all(STATUS_BY_CODE[code] in told[code] for code in answered)


@pytest.mark.parametrize("code", sorted(_core()))
def test_each_core_error_of_the_engine_becomes_its_problem(
    api: Client, engine: WordEngine, code: str
) -> None:
    engine.failure = errors_by_code()[code]("It went wrong.", field="text", limit=3)
    answer = api.post(ANALYZE, {"text": "good"}, content_type="application/json")
    body = check(answer, STATUS_BY_CODE[code], code)
    assert (body["field"], body["limit"]) == ("text", 3)


def test_only_what_may_pass_tells_when_to_come_back() -> None:
    for cls in _core().values():
        wait = retry_after(cls("x"))
        assert (wait is not None) == (cls("x").code in _PASSING), cls
        assert retry_after(cls("x", retry_after_s=2.1)) == 3


_PASSING = {
    "unavailable",
    "model_not_ready",
    "overloaded",
    "draining",
    "engine_unreachable",
}


def test_an_app_s_own_error_keeps_its_code_and_has_the_status_of_its_kind() -> None:
    class Odd(InvalidInput):
        code = "odd"

    body = problem_of(Odd("x"))
    assert (body["code"], body["status"]) == ("odd", 400)


def test_an_overloaded_engine_answers_503_with_retry_after(api: Client, engine: WordEngine) -> None:
    engine.failure = errors_by_code()["overloaded"]("The queue is full.", retry_after_s=1.2)
    answer = api.post(ANALYZE, {"text": "good"}, content_type="application/json")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head"])
@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/", "/api/v1/analyses/not-a-uuid"])
def test_an_address_that_does_not_exist_is_404(method: str, path: str) -> None:
    answer = getattr(Client(), method)(path)
    assert answer.status_code == 404
    if method != "head":
        check(answer, 404, "not_found")


@pytest.mark.django_db
def test_an_api_address_outside_v1_is_404_too() -> None:
    check(Client().get("/api/v2/analyze"), 404, "not_found")


def test_a_method_that_is_not_there_is_405(api: Client) -> None:
    answer = api.put(ANALYZE, {"text": "good"}, content_type="application/json")
    check(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data", "x", ""])
def test_a_body_that_is_not_json_is_415(api: Client, kind: str) -> None:
    answer = api.post(ANALYZE, b"text=good", content_type=kind)
    check(answer, 415, "unsupported_media")
    assert "Send the body as application/json" in answer.json()["detail"]


def test_a_body_over_the_limit_is_413_and_names_the_limit(api: Client, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    answer = api.post(ANALYZE, {"text": "x" * 1_000}, content_type="application/json")
    assert check(answer, 413, "too_large")["limit"] == 1_000


def test_a_body_in_chunks_is_411(api: Client) -> None:
    answer = api.generic(
        "POST",
        ANALYZE,
        b"",
        content_type="application/json",
        HTTP_TRANSFER_ENCODING="chunked",
        CONTENT_LENGTH="",
    )
    check(answer, 411, "length_required")


@pytest.mark.django_db
def test_no_key_and_no_session_is_401() -> None:
    answer = Client().post(ANALYZE, {"text": "good"}, content_type="application/json")
    check(answer, 401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_something_unforeseen_is_500_and_tells_nothing_but_the_request_id(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def burst(*_: Any, **__: Any) -> None:
        raise RuntimeError("the secret cause")

    monkeypatch.setattr("discern.web.text.services.analyze", burst)
    answer = api.post(ANALYZE, {"text": "good"}, content_type="application/json")
    check(answer, 500, "internal_error")
    assert b"secret" not in answer.content
    assert b"Traceback" not in answer.content


@pytest.mark.parametrize("where", ["authentication", "services.analyses_of"])
def test_a_database_that_is_away_is_503(
    api: Client, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("connection refused")

    target = {
        "authentication": "discern.web.accounts.services.find_key",
        "services.analyses_of": "discern.web.text.services.analyses_of",
    }[where]
    monkeypatch.setattr(target, away)
    answer = api.get("/api/v1/analyses")
    check(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "2"


@pytest.mark.django_db
def test_a_wrong_host_name_is_400_as_a_problem() -> None:
    answer = Client(raise_request_exception=False).get("/api/v1/session", headers={"host": "evil"})
    check(answer, 400, "invalid_input")


def test_several_wrong_fields_are_all_named(api: Client) -> None:
    url = "/api/v1/analyses/6c0b5b1e-0b5c-4c53-9d4f-2f7a0d6f2f11/feedback"
    answer = api.post(url, {"label": [], "comment": {}}, content_type="application/json")
    body = check(answer, 400, "invalid_input")
    assert {error["field"] for error in body["errors"]} == {"label", "comment"}


@pytest.mark.django_db
def test_a_well_formed_request_id_is_kept_and_another_replaced() -> None:
    kept = Client().get("/api/v1/session", headers={"X-Request-Id": "abc-123"})
    assert kept.headers["X-Request-Id"] == "abc-123"
    bad = Client().get("/api/v1/session", headers={"X-Request-Id": "a b<script>"})
    assert "script" not in bad.headers["X-Request-Id"]


def test_too_many_requests_are_429_with_the_rate_in_the_headers(
    api: Client, settings: Settings
) -> None:
    settings.RATES = {**settings.RATES, "key": Rate(2, 60)}
    first = api.get("/api/v1/analyses")
    assert first.headers["RateLimit-Limit"] == "2"
    assert first.headers["RateLimit-Remaining"] == "1"
    api.get("/api/v1/analyses")
    third = api.get("/api/v1/analyses")
    check(third, 429, "throttled")
    assert 1 <= int(third.headers["Retry-After"]) <= 60


@pytest.mark.django_db
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer dk_no"}, {"Authorization": "x"}])
def test_requests_without_a_key_that_stands_are_counted_for_their_address(
    settings: Settings, headers: dict[str, str]
) -> None:
    rate = Rate.parse(Environment.model_fields["rate_anonymous"].default)
    settings.RATES = {**settings.RATES, "anonymous": rate}
    client = Client(headers=headers)
    for left in range(59, -1, -1):
        answer = client.get("/api/v1/analyses")
        assert answer.status_code == 401
        assert answer.headers["RateLimit-Limit"] == "60"
        assert left <= int(answer.headers["RateLimit-Remaining"]) <= left + 1
    refused = client.get("/api/v1/analyses")
    check(refused, 429, "throttled")
    assert refused.headers["RateLimit-Remaining"] == "0"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


def test_a_good_key_passes_from_an_address_that_is_refused(api: Client, settings: Settings) -> None:
    settings.RATES = {**settings.RATES, "anonymous": Rate(1, 60)}
    codes = [Client().get("/api/v1/analyses").status_code for _ in range(2)]
    assert codes == [401, 429]
    assert api.get("/api/v1/analyses").status_code == 200


def test_what_a_key_may_not_do_and_a_failed_csrf_check_are_counted_once(
    api: Client, person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    count = throttles.count

    def noting(name: str, rate: Rate) -> throttles.Verdict:
        counted.append(name.partition(":")[0])
        return count(name, rate)

    monkeypatch.setattr(throttles, "count", noting)
    check(api.get("/api/v1/keys"), 403, "permission_denied")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(person)
    answer = browser.delete("/api/v1/analyses")
    check(answer, 403, "csrf_failed")
    assert "RateLimit-Limit" in answer.headers
    assert api.get("/api/v1/analyses").status_code == 200
    assert counted == ["key", "address", "key"]
