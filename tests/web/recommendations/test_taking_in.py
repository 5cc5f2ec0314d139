"""Contents and files of them, a library and a model of the host application's own."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from discern.recommendations.contract import Content as CoreContent
from discern.recommendations.contract import Interaction
from discern.web.jobs.outcome import run
from discern.web.jobs.registry import kind_named
from discern.web.jobs.services import claim
from discern.web.recommendations import bulk, importing, metrics, mirrors
from discern.web.recommendations.interactions import history_of
from discern.web.recommendations.mirrors import mirror_everything
from discern.web.recommendations.models import (
    Content,
    ImportJob,
    Person,
)
from tests.web.recommendations.asking import API, MOMENT, SHELF, like, post


def test_contents_are_added_replaced_read_and_deleted(api: Client, contents: None) -> None:
    body = {"content_id": "text-0", "title": "Anew", "tags": ["a", "a", "b"], "available": False}
    taken = post(api, "contents", contents=[body, {"content_id": "more"}]).json()
    assert (taken["added"], taken["replaced"]) == (1, 1)
    read = api.get(f"{API}/contents/text-0").json()
    assert (read["title"], read["tags"], read["available"]) == ("Anew", ["a", "b"], False)
    assert api.get(f"{API}/contents?category=sea&page_size=200").json()["results"]
    assert api.delete(f"{API}/contents/text-0").status_code == 204
    assert api.get(f"{API}/contents/text-0").status_code == 404
    kept = {content.id: content for content in mirrors.library().contents()}
    assert not kept["text-0"].available


def test_the_list_of_contents_says_how_many_people_met_each(api: Client, contents: None) -> None:
    like(api, "anna", "text-1", "text-2")
    like(api, "ben", "text-1")
    post(api, "interactions", interactions=[{"person": "anna", "content_id": "text-1"}])
    rows = api.get(f"{API}/contents?page_size=200").json()["results"]
    met = {row["content_id"]: row["people"] for row in rows}
    assert met == {name: {"text-1": 2, "text-2": 1}.get(name, 0) for name in SHELF}


def test_the_best_known_fifth_is_of_all_contents_also_beyond_the_curve(
    api: Client, contents: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert api.get(f"{API}/recommendations/metrics").json()["best_known_share"] == 0
    monkeypatch.setattr(metrics, "POPULARITY_POINTS", 1)
    for person in ("anna", "ben", "cleo"):
        like(api, person, "text-1")
    like(api, "anna", "text-2", "text-3", "text-4")
    like(api, "ben", "text-2")
    found = api.get(f"{API}/recommendations/metrics").json()
    assert found["popularity"] == [3]
    # Of twelve contents a fifth are two: they have five of seven meetings.
    assert found["best_known_share"] == pytest.approx(5 / 7)


def test_contents_put_again_without_a_time_keep_theirs(api: Client, contents: None) -> None:
    before = {row.external_id: row.created_at for row in Content.objects.all()}
    old = "2001-02-03T04:05:06Z"
    post(api, "contents", contents=[{"content_id": "text-1", "created_at": old}])
    again = [{"content_id": "text-0", "title": "Anew"}, {"content_id": "text-1", "title": "Anew"}]
    assert post(api, "contents", contents=[*again, {"content_id": "new"}]).json()["replaced"] == 2
    after = {row.external_id: row for row in Content.objects.all()}
    assert after["text-0"].created_at == before["text-0"]
    assert after["text-1"].created_at == datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert {after[name].title for name in ("text-0", "text-1")} == {"Anew"}
    assert after["new"].created_at > max(before.values())
    kept = {row.id: row for row in mirrors.library().contents()}
    assert kept["text-1"].created_at == after["text-1"].created_at.timestamp()


def test_a_parquet_file_is_taken_in_and_one_that_only_begins_like_one_is_refused(
    api: Client, contents: None
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [
        {"user_id": i, "content_id": f"text-{i % 12}", "created_at": MOMENT} for i in range(600)
    ]
    file = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    upload = SimpleUploadedFile("i.parquet", file.getvalue())
    made = api.post(f"{API}/imports", {"kind": "interactions", "file": upload})
    assert made.status_code == 202, made.content
    held = claim(kind_named("import"), ImportJob.objects.get().pk, owner="test")
    assert held is not None
    run(held, stopping=_never())
    job = api.get(f"{API}/imports/{made.json()['id']}").json()
    assert (job["state"], job["counts"]) == ("done", {"added": 600, "late": 600})
    seven = history_of(person=Person.objects.get(external_id="7"))
    assert (seven[0].content, seven[0].liked, seven[0].at) == ("text-7", True, MOMENT.timestamp())
    broken = SimpleUploadedFile("i.parquet", b"PAR1 and no more")
    refused = api.post(f"{API}/imports", {"kind": "interactions", "file": broken})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_input")


def test_a_library_older_than_the_site_is_taken_in_without_what_was_deleted(
    transactional_db: None,
) -> None:
    library = mirrors.library()
    library.put_contents([CoreContent("a", title="A"), CoreContent("gone", available=False)])
    events = [Interaction("anna", name, liked=True, at=5.0) for name in ("a", "gone", "unknown")]
    library.put_interactions(events)
    number = library.events.last_number()
    for added in (1, 0):
        contents, interactions = bulk.take_library()
        assert (contents.added, interactions.added, interactions.unknown) == (added, added, 2)
    assert [row.external_id for row in Content.objects.all()] == ["a"]
    assert library.events.last_number() == number
    mirror_everything()
    assert library.events.last_number() == number  # under the same keys: nothing counts twice


def test_a_file_is_taken_in_row_by_row_and_twice_is_harmless(api: Client, contents: None) -> None:
    rows = [f"p{i},text-{i % 12},1,2024-01-01T00:00:{i % 60:02}" for i in range(700)]
    rows += ["p1,nowhere,1,", "p1,text-1,maybe,"]
    file = "user_id,content_id,liked,created_at\n" + "\n".join(rows)
    for expected in ({"added": 700}, {"duplicates": 700}):
        upload = SimpleUploadedFile("i.csv", file.encode(), content_type="text/csv")
        answer = api.post(f"{API}/imports", {"kind": "interactions", "file": upload})
        assert answer.status_code == 202
        kind = kind_named("import")
        held = claim(kind, ImportJob.objects.latest("created_at").pk, owner="test")
        assert held is not None
        run(held, stopping=_never())
        job = api.get(f"{API}/imports/{answer.json()['id']}").json()
        assert job["state"] == "done", job
        assert expected.items() <= job["counts"].items()
        assert job["counts"]["unknown"] == job["counts"]["refused"] == 1
        assert "liked" in job["problems"][0]


def test_an_imported_file_has_keys_and_an_export_of_the_library_changes_nothing(
    api: Client, contents: None
) -> None:
    first = "user_id,content_id,liked,key\nanna,text-1,1,1\nben,text-1,1,1\nanna,text-2,1,1\n"
    assert _import(api, first) == {"added": 2, "duplicates": 1}
    handed = [
        f"{event.person},{event.content},{int(event.liked)},{event.key}"
        for event in mirrors.library().interactions(keyed=True)
    ]
    again = "user_id,content_id,liked,key\n" + "\n".join(handed)
    assert _import(api, again) == {"duplicates": 2}
    assert bulk.take_library()[1].duplicates == 2


def test_a_files_report_counts_what_is_late_and_out_of_order(api: Client, contents: None) -> None:
    file = "user_id,content_id,created_at\nanna,text-1,2024-01-05\nanna,text-1,2024-01-04\n"
    assert _import(api, file) == {"added": 2, "late": 2, "out_of_order": 1}


def _import(api: Client, file: str) -> Any:
    upload = SimpleUploadedFile("i.csv", file.encode(), content_type="text/csv")
    made = api.post(f"{API}/imports", {"kind": "interactions", "file": upload}).json()
    held = claim(kind_named("import"), ImportJob.objects.get(pk=made["id"]).pk, owner="test")
    assert held is not None
    run(held, stopping=_never())
    return api.get(f"{API}/imports/{made['id']}").json()["counts"]


def _never() -> Any:
    import threading

    return threading.Event()


@pytest.mark.parametrize("state", ["failed", "dead"])
def test_the_file_of_an_import_that_failed_is_let_go_and_no_other(
    api: Client, contents: None, state: str
) -> None:
    def made() -> ImportJob:
        upload = SimpleUploadedFile("i.csv", b"user_id,content_id\nanna,x\n")
        answer = api.post(f"{API}/imports", {"kind": "interactions", "file": upload}).json()
        return ImportJob.objects.get(pk=answer["id"])

    ended, waiting = made(), made()
    ImportJob.objects.filter(pk=ended.pk).update(state=state)
    assert importing.drop_files() == {"files of failed imports": 1}
    ended.refresh_from_db()
    waiting.refresh_from_db()
    assert bytes(ended.content) == b""
    assert bytes(waiting.content) != b""
    assert kind_named("import").tidy is importing.drop_files


def test_another_accounts_import_is_not_found(
    api: Client, other_api: Client, contents: None
) -> None:
    upload = SimpleUploadedFile("c.csv", b"content_id\nx\n")
    made = api.post(f"{API}/imports", {"kind": "contents", "file": upload}).json()
    assert other_api.get(f"{API}/imports/{made['id']}").status_code == 404


def test_a_file_with_an_unclosed_quote_is_refused_and_nothing_taken(api: Client) -> None:
    file = b'content_id,title\na,A\nb,"B\nc,C\n'
    upload = SimpleUploadedFile("c.csv", file, content_type="text/csv")
    refused = api.post(f"{API}/imports", {"kind": "contents", "file": upload})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_input")
    assert "line 3 is never closed" in refused.json()["detail"]
    assert not ImportJob.objects.exists()
