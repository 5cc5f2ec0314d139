"""Files of texts over the API: accepted at once, read in the background, never lost."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Sequence
from threading import Event
from typing import Any

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from discern.errors import InvalidInput
from discern.text.contract import MAX_TEXT_CHARS, Sentiment
from discern.web.jobs import services
from discern.web.jobs.models import State
from discern.web.jobs.outcome import run
from discern.web.jobs.registry import kind_named
from discern.web.text import files, jobs
from discern.web.text.models import TextJob, TextJobChunk, TextJobSource
from discern.web.text.services import MAX_CALL_CHARS
from tests.fakes.engine import WordEngine

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/text-jobs"
JSON = "application/json"


def send(api: Client, content: str | bytes, **options: Any) -> Any:
    data = content.encode() if isinstance(content, str) else content
    file = SimpleUploadedFile(options.pop("filename", "texts.csv"), data)
    return api.post(URL, {"file": file, **options})


def work_all() -> None:
    """Does what a worker does with everything that waits."""
    while claims := services.claim_next(owner="test", among=[kind_named("text")], limit=1):
        run(claims[0], stopping=Event())


def numbered(count: int) -> str:
    return "text\n" + "".join(f"good number {n}\n" for n in range(count))


def test_a_file_is_accepted_at_once_and_read_later(api: Client) -> None:
    answer = send(api, "id,text\n1,good\n2,bad bad\n3,\n4,day\n")
    assert answer.status_code == 202
    body = answer.json()
    assert answer.headers["Location"] == body["links"]["self"]
    assert (body["state"], body["column"], body["name"]) == ("queued", "text", "texts.csv")
    assert body["progress"]["total"] == 4
    work_all()
    done = api.get(body["links"]["self"]).json()
    assert done["state"] == "done"
    assert done["distribution"] == {"negative": 1, "neutral": 1, "positive": 1}
    assert done["row_errors"] == {"empty_input": 1}
    assert (done["model_name"], done["model_version"]) == ("words", "1.0.0")
    assert done["progress"]["done"] == 4
    assert done["progress"]["left"] == 0
    assert done["progress"]["rows_per_second"] > 0


def test_the_rows_say_each_mood_and_each_reason(api: Client) -> None:
    long = "x" * (MAX_TEXT_CHARS + 1)
    job = send(api, f"text,id\ngood,1\n,2\n{long},3\n").json()
    work_all()
    page = api.get(job["links"]["rows"]).json()
    assert page["count"] == 3
    first, second, third = page["results"]
    assert (first["row"], first["text"], first["label"]) == (1, "good", "positive")
    assert second["error"]["code"] == "empty_input"
    assert third["error"]["code"] == "too_large"
    assert len(third["text"]) == 500


def test_the_result_has_the_file_s_own_columns_and_guards_against_formulas(api: Client) -> None:
    job = send(api, 'id,text\n-7,"=HYPERLINK(""x"") good"\n8,@bad\n').json()
    work_all()
    answer = api.get(job["links"]["result"])
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    text = answer.getvalue().decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["id"] for row in rows] == ["-7", "8"]
    assert [row["text"] for row in rows] == ['\'=HYPERLINK("x") good', "'@bad"]
    assert [row["sentiment"] for row in rows] == ["positive", "neutral"]
    assert rows[0]["model"] == "words 1.0.0"
    assert float(rows[0]["score_positive"]) == pytest.approx(float(rows[0]["score"]))


def test_the_result_says_of_a_refused_row_its_code_and_its_sentence(api: Client) -> None:
    job = send(api, "id,text\n1,good\n2,\n3,Good, but dear\n").json()
    work_all()
    text = api.get(job["links"]["result"]).getvalue().decode()
    good, blank, parted = csv.DictReader(io.StringIO(text))
    assert (good["error"], good["error_message"]) == ("", "")
    assert (blank["error"], blank["error_message"]) == ("empty_input", "'text' is blank.")
    assert parted["error"] == "invalid_input"
    assert parted["error_message"].startswith("The row has 3 cells for 2 columns")


def test_rows_are_paged_by_offset_over_chunks(api: Client) -> None:
    count = 2 * files.CHUNK_ROWS + 10
    job = send(api, numbered(count)).json()
    work_all()
    seen: list[int] = []
    url: str | None = job["links"]["rows"] + "?limit=100"
    while url:
        page = api.get(url).json()
        assert page["count"] == count
        seen += [row["row"] for row in page["results"]]
        url = page["next"]
    assert seen == list(range(1, count + 1))


def test_rows_of_one_mood_are_paged_over_chunks(api: Client) -> None:
    lines = ["good" if at % 3 == 0 else "bad" for at in range(2 * files.CHUNK_ROWS)]
    job = send(api, "text\n" + "\n".join(lines) + "\n").json()
    work_all()
    page = api.get(job["links"]["rows"] + "?label=positive&offset=40&limit=30").json()
    assert page["count"] == lines.count("good")
    assert [row["row"] for row in page["results"]] == [3 * at + 1 for at in range(40, 70)]
    assert api.get(job["links"]["rows"] + "?label=unheard-of").json()["count"] == 0


@pytest.mark.parametrize(
    "query", ["?offset=-1&limit=0", "?limit=x", "?offset=99999", "?limit=9999"]
)
def test_any_offset_and_limit_are_answered(api: Client, query: str) -> None:
    job = send(api, numbered(3)).json()
    work_all()
    assert api.get(job["links"]["rows"] + query).status_code == 200


@pytest.mark.parametrize(
    ("content", "content_type", "query"),
    [
        (b"review,n\ngood,1\n", "text/csv", "?column=review&name=mine"),
        (b"good\nbad\n", "text/csv", "?header=false"),
        (b'{"text": "good"}\n', "application/x-ndjson", ""),
        (orjson.dumps({"content": "text\ngood\n"}), JSON, ""),
        (orjson.dumps({"content": '{"t": "good"}', "column": "t"}), JSON, ""),
        (orjson.dumps({"content": "good\n", "header": False, "name": "pasted"}), JSON, ""),
    ],
)
def test_a_file_may_be_the_body_or_pasted(
    api: Client, content: bytes, content_type: str, query: str
) -> None:
    answer = api.post(URL + query, content, content_type=content_type)
    assert answer.status_code == 202, answer.content
    work_all()
    done = api.get(answer.json()["links"]["self"]).json()
    assert done["state"] == "done"
    assert done["distribution"]["positive"] == 1


@pytest.mark.parametrize(
    ("content", "options", "code", "field"),
    [
        ("", {}, "invalid_input", "file"),
        ("  \n", {}, "empty_input", "file"),
        ("text\n", {}, "empty_input", "file"),
        ("a,b\n1,2\n", {}, "invalid_input", "column"),
        ("a,b\n1,2\n", {"column": "c"}, "invalid_input", "column"),
        (b"text\n\xff\xfa\n", {}, "invalid_input", "file"),
        ("text\nx\n", {"format": "xlsx"}, "invalid_input", "format"),
        ("nope\n", {"format": "jsonl"}, "invalid_input", "file"),
        ("te\x00xt\nx\n", {"header": "maybe"}, "invalid_input", "header"),
        ("te\x00xt\nx\n", {}, "invalid_input", "column"),
    ],
)
def test_a_bad_file_is_refused_at_once_and_nothing_is_stored(
    api: Client, content: str | bytes, options: dict[str, str], code: str, field: str
) -> None:
    answer = send(api, content, **options)
    assert answer.status_code == 400, answer.content
    assert (answer.json()["code"], answer.json()["field"]) == (code, field)
    assert TextJob.objects.count() == 0


def test_a_file_over_the_byte_or_row_limit_is_413(api: Client, settings: Settings) -> None:
    settings.TEXT_JOB_MAX_ROWS = 3
    answer = send(api, numbered(4))
    assert (answer.status_code, answer.json()["limit"]) == (413, 3)
    settings.TEXT_JOB_MAX_BYTES = 100
    answer = send(api, numbered(20))
    assert (answer.status_code, answer.json()["limit"]) == (413, 100)
    answer = api.post(URL, numbered(20), content_type="text/csv")
    assert (answer.status_code, answer.json()["limit"]) == (413, 100)


def test_no_file_at_all_is_refused(api: Client) -> None:
    assert api.post(URL, {"column": "x"}).json()["field"] == "file"
    assert api.post(URL, b"", content_type=JSON).status_code == 400
    assert api.post(URL, b"x", content_type="text/plain").status_code == 415


def test_a_person_s_unfinished_files_are_limited(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MAX_UNFINISHED", 1)
    assert send(api, numbered(1)).status_code == 202
    refused = send(api, numbered(1))
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    work_all()
    assert send(api, numbered(1)).status_code == 202


def test_the_result_is_refused_until_the_job_is_done(api: Client) -> None:
    job = send(api, numbered(1)).json()
    answer = api.get(job["links"]["result"])
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_another_person_s_file_is_not_there(api: Client, other_api: Client) -> None:
    job = send(api, numbered(1)).json()
    work_all()
    for name, url in job["links"].items():
        answer = other_api.post(url) if name == "retry" else other_api.get(url)
        assert answer.status_code == 404, name
    assert other_api.delete(job["links"]["self"]).status_code == 404
    assert other_api.get(URL).json()["results"] == []


def test_files_are_listed_newest_first(api: Client) -> None:
    sent = [send(api, numbered(1)).json()["id"] for _ in range(3)]
    page = api.get(URL, {"page_size": 2}).json()
    assert [job["id"] for job in page["results"]] == sent[:0:-1]
    assert [job["id"] for job in api.get(page["next"]).json()["results"]] == sent[:1]


def test_deleting_a_file_deletes_its_texts_and_results(api: Client) -> None:
    job = send(api, numbered(300)).json()
    work_all()
    assert TextJobChunk.objects.count() == 3
    assert api.delete(job["links"]["self"]).status_code == 204
    assert TextJob.objects.count() == TextJobChunk.objects.count() == 0
    assert TextJobSource.objects.count() == 0


class Dying(BaseException):
    """What a kill looks like from inside: nothing after it runs."""


def test_a_job_is_resumed_without_reading_a_finished_chunk_again(
    api: Client, engine: WordEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = send(api, numbered(3 * files.CHUNK_ROWS)).json()
    real = engine.analyze
    calls = 0

    def dies_on_the_third(texts: Sequence[str], **options: Any) -> list[Sentiment]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Dying
        return real(texts, **options)

    monkeypatch.setattr(engine, "analyze", dies_on_the_third)
    (won,) = services.claim_next(owner="test", among=[kind_named("text")], limit=1)
    with pytest.raises(Dying):
        run(won, stopping=Event())
    halfway = api.get(job["links"]["self"]).json()
    assert (halfway["state"], halfway["progress"]["done"]) == ("processing", 2 * files.CHUNK_ROWS)
    assert api.get(job["links"]["rows"]).json()["count"] == 2 * files.CHUNK_ROWS
    TextJob.objects.update(lease_expires_at=TextJob.objects.get().created_at)
    services.sweep()
    work_all()
    done = api.get(job["links"]["self"]).json()
    assert done["state"] == "done"
    assert done["distribution"]["positive"] == 3 * files.CHUNK_ROWS
    read = [text for call in engine.calls for text in call]
    assert len(read) == len(set(read)) == 3 * files.CHUNK_ROWS


def test_a_text_that_only_the_model_refuses_is_its_own_row_s_error(
    api: Client, engine: WordEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = engine.analyze

    def picky(texts: Sequence[str], **options: Any) -> list[Sentiment]:
        if any("seven" in text for text in texts):
            raise InvalidInput("The model does not read 'seven'.", field="texts[1]")
        return real(texts, **options)

    monkeypatch.setattr(engine, "analyze", picky)
    job = send(api, "text\ngood\nseven\nbad\n").json()
    work_all()
    done = api.get(job["links"]["self"]).json()
    assert done["state"] == "done"
    assert done["row_errors"] == {"invalid_input": 1}
    assert done["distribution"] == {"negative": 1, "neutral": 0, "positive": 1}


def test_very_long_texts_are_spread_over_several_calls(api: Client, engine: WordEngine) -> None:
    text = "good " * 19_000
    send(api, "text\n" + f"{text}\n" * 5)
    work_all()
    assert [sum(map(len, call)) <= MAX_CALL_CHARS for call in engine.calls] == [True] * 3


def test_a_failed_job_says_why_and_is_finished_by_a_retry(
    api: Client, engine: WordEngine, caplog: pytest.LogCaptureFixture
) -> None:
    job = send(api, numbered(1)).json()
    assert api.post(job["links"]["retry"]).status_code == 409
    TextJob.objects.update(state=State.DEAD, error_code="worker_died", error_message="It died.")
    dead = api.get(job["links"]["self"]).json()
    assert dead["error"] == {"code": "worker_died", "detail": "It died."}
    assert api.post(job["links"]["retry"]).status_code == 202
    work_all()
    assert api.get(job["links"]["self"]).json()["state"] == "done"


def test_a_file_taken_before_open_quotes_were_refused_still_gives_its_result(api: Client) -> None:
    job = send(api, 'text,id\ngood,1\n"bad",2\n').json()
    work_all()
    source = TextJobSource.objects.get(job_id=job["id"])
    source.content = zlib.compress(b'text,id\ngood,1\n"bad,2\n')
    source.save()
    lines = api.get(job["links"]["result"]).getvalue()
    assert len(list(csv.reader(io.StringIO(lines.decode(), newline="")))) == 3
