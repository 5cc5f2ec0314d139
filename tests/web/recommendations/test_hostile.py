"""What nobody well-meaning sends to the addresses of recommendations: refused or harmless."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from discern.engine.local import LocalEngine
from discern.recommendations.contract import Content as CoreContent
from discern.web.jobs.outcome import run
from discern.web.jobs.registry import kind_named
from discern.web.jobs.services import claim
from discern.web.recommendations import lists
from discern.web.recommendations.contents import put_contents
from discern.web.recommendations.models import Content, ImportJob, Impression

API = "/api/v1"
TEXTS = ("", "\x00", "\ud7ff\uffff", "a" * 300, "%00", "../..", "\u202e", "0", "[]", "{}", "\n")
NUMBERS = ("", "0", "-1", "501", "1e3", "nan", "inf", "-inf", "x", "\u0663", "9" * 400, "1_0")
PLACES = {
    "n": NUMBERS,
    "page_size": NUMBERS,
    "diversity": NUMBERS,
    "exploration": NUMBERS,
    "category": TEXTS,
    "tag": TEXTS,
    "exclude": TEXTS,
    "seen": TEXTS,
    "person": TEXTS,
    "experiment": TEXTS,
    "explain": TEXTS,
    "cursor": TEXTS,
}
ADDRESSES = {
    "contents": ("category", "page_size", "cursor"),
    "contents/0/similar": ("n", "category", "tag", "exclude", "seen"),
    "interactions": ("person", "page_size", "cursor"),
    "recommendations": (
        *("person", "n", "category", "tag", "exclude", "seen"),
        *("diversity", "exploration", "experiment", "explain"),
    ),
    "recommendations/metrics": ("experiment",),
    "imports": ("page_size", "cursor"),
}


@pytest.fixture
def two_contents(transactional_db: None) -> None:
    put_contents(
        contents=[CoreContent("0", title="Naught"), CoreContent("1", title="One", tags=("a",))]
    )


def queries() -> Iterator[str]:
    for address, names in ADDRESSES.items():
        for name in names:
            for value in PLACES[name]:
                person = "&person=5" if address in ("recommendations", "interactions") else ""
                other = "" if name == "person" else person
                yield f"{address}?{name}={quote(value)}&{name}={quote(value)}{other}"
    for path in TEXTS[1:]:
        name = quote(path, safe="")
        yield from (f"contents/{name}", f"contents/{name}/similar", f"people/{name}")


@pytest.mark.parametrize("fitted", [False, True], ids=["nothing fitted", "the core's checks"])
def test_no_query_makes_a_server_error(
    api: Client, two_contents: None, monkeypatch: pytest.MonkeyPatch, fitted: bool
) -> None:
    if fitted:
        engine = LocalEngine()
        monkeypatch.setattr(lists, "get_engine", lambda: engine)
    for query in queries():
        answer = api.get(f"{API}/{query}")
        assert answer.status_code in (200, 400, 404, 405, 413), (query, answer.content)
    assert Impression.objects.exclude(experiment="").count() == 0


@pytest.mark.parametrize("name", ["diversity", "exploration"])
@pytest.mark.parametrize("value", ["nan", "5824668235733102.0", "-0.1", ""])
def test_a_share_outside_0_to_1_is_refused_before_any_model_is_asked(
    api: Client, two_contents: None, name: str, value: str
) -> None:
    answer = api.get(f"{API}/recommendations?person=5&{name}={value}")
    assert (answer.status_code, answer.json()["field"]) == (400, name)


def test_before_the_first_fit_the_newest_of_the_category_stand_beside_a_content(
    api: Client, two_contents: None
) -> None:
    empty = api.get(f"{API}/contents/0/similar?category=&exclude=&n=1")
    assert empty.status_code == 200
    assert empty.json()["source"] == "newest"
    assert [item["content_id"] for item in empty.json()["items"]] == ["1"]
    assert api.get(f"{API}/contents/0/similar?category=sea").json()["items"] == []


BODIES: list[Any] = [
    {},
    [],
    {"interactions": [{"person": "a", "content_id": "0", "key": "\x00"}]},
    {"interactions": [{"person": "a", "content_id": "0", "key": 7}]},
    {"interactions": [{"person": "\x00", "content_id": "0"}]},
    {"interactions": [{"person": "a", "content_id": "\x00"}]},
    {"interactions": [{"person": "a", "content_id": ["0"]}]},
    {"interactions": [{"person": "a", "content_id": "0", "view_time": [1]}]},
    {"interactions": [{"person": "a", "content_id": "0", "created_at": {}}]},
    {"interactions": [{"person": "a", "content_id": "0", "created_at": -1e18}]},
    {"interactions": [{"person": "a", "content_id": "0"}], "impression": "x"},
    {"contents": [{"content_id": "a", "created_at": 1e18}]},
    {"contents": [{"content_id": "a", "available": []}]},
    {"contents": [{"content_id": {}}]},
    {"contents": [{"content_id": "\x00"}]},
]


@pytest.mark.parametrize("body", BODIES)
def test_no_body_makes_a_server_error(api: Client, two_contents: None, body: Any) -> None:
    address = "contents" if "contents" in body else "interactions"
    answer = api.post(f"{API}/{address}", orjson.dumps(body), content_type="application/json")
    assert answer.status_code == 400, answer.content
    assert Content.objects.count() == 2


def test_odd_but_storable_values_are_kept_as_they_can_be_stored(
    api: Client, two_contents: None
) -> None:
    row: dict[str, Any] = {
        "content_id": "odd",
        "title": "a\x00b" + "x" * 900,
        "tags": ["\x00", None, 7, {}],
    }
    body = orjson.dumps({"contents": [row]})
    assert api.post(f"{API}/contents", body, content_type="application/json").status_code == 200
    kept = api.get(f"{API}/contents/odd").json()
    assert kept["title"].startswith("a\ufffdbx")
    assert len(kept["title"]) == 500
    assert kept["tags"][:2] == ["\ufffd", "7"]


def test_a_file_of_no_kind_or_no_rows_is_refused(api: Client, two_contents: None) -> None:
    for kind, content in (
        ("", b"a\n1"),
        ("\x00", b"a\n1"),
        ("contents", b""),
        ("contents", b"\xff"),
    ):
        file = SimpleUploadedFile("a.csv", content or b" ")
        answer = api.post(f"{API}/imports", {"kind": kind, "file": file})
        assert answer.status_code == 400, (kind, content, answer.content)
    assert api.post(f"{API}/imports", {"kind": "contents"}).status_code == 400


def test_bad_rows_of_a_file_are_refused_one_by_one(api: Client, two_contents: None) -> None:
    rows = [
        '{"content_id": "good", "text": "' + "long " * 40_000 + '"}',
        '{"content_id": "surrogate \\ud800"}',
        '{"content_id": "late", "created_at": 1e300}',
        '{"content_id": "nan", "created_at": NaN}',
        '{"content_id": {"a": 1}}',
        "[1]",
        "{",
        '{"content_id": "too long ' + "x" * 300 + '"}',
        '{"content_id": "nul \\u0000"}',
    ]
    assert importing_counts(api, "contents", "\n".join(rows)) == {"added": 1, "refused": 8}
    lines = ["user_id,content_id,created_at,extra", "a,0,1e300", "a,0,1,2,3,4", "a"]
    counts = importing_counts(api, "interactions", "\n".join(lines))
    assert counts == {"added": 1, "late": 1, "refused": 2}
    wide = "content_id,text\nwide," + "x" * 200_000
    assert importing_counts(api, "contents", wide) == {"added": 1}


def test_a_file_whose_quote_is_never_closed_is_refused_whole(api: Client) -> None:
    lines = ["user_id,content_id", "a,0", '"a,0', "a,0"]
    file = SimpleUploadedFile("rows", "\n".join(lines).encode())
    refused = api.post(f"{API}/imports", {"kind": "interactions", "file": file})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_input")
    assert "line 3" in refused.json()["detail"]
    assert not ImportJob.objects.exists()


def importing_counts(api: Client, kind: str, text: str) -> dict[str, int]:
    file = SimpleUploadedFile("rows", text.encode())
    made = api.post(f"{API}/imports", {"kind": kind, "file": file}).json()
    claimed = claim(kind_named("import"), ImportJob.objects.get(pk=made["id"]).pk, owner="test")
    assert claimed is not None
    run(claimed, stopping=threading.Event())
    job = api.get(f"{API}/imports/{made['id']}").json()
    assert job["state"] == "done", job
    found: dict[str, int] = job["counts"]
    return found
