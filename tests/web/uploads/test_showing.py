"""Lists, events and images of what was found."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from PIL import Image

from discern.web.accounts.models import User
from discern.web.uploads import render
from discern.web.uploads.models import (
    Upload,
)
from tests.fakes import pictures
from tests.fakes.pictures import picture
from tests.web.uploads.sending import (
    API,
    upload,
    work,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_list_is_newest_first_and_filtered_by_state_and_label(client: Client) -> None:
    upload(client, picture("red"))
    work()
    upload(client, picture("green"))
    listed = client.get(API).json()["results"]
    assert [row["state"] for row in listed] == ["queued", "done"]
    assert len(client.get(API, {"state": "done"}).json()["results"]) == 1
    assert len(client.get(API, {"label": "red"}).json()["results"]) == 1
    assert client.get(API, {"label": "re"}).json()["results"] == []
    assert client.get(API, {"state": "lost"}).json()["field"] == "state"


@pytest.mark.parametrize("label", ["Zürich_Tram", "zürich_tram", "ZÜRICH_TRAM"])
def test_the_case_of_a_label_does_not_matter_to_the_filter(
    client: Client, monkeypatch: pytest.MonkeyPatch, label: str
) -> None:
    monkeypatch.setattr(pictures, "_look", lambda _: ("Zürich_Tram", 64, 48))
    monkeypatch.setitem(pictures.WORDS, "Zürich_Tram", "")
    upload(client)
    work()
    assert len(client.get(API, {"label": label}).json()["results"]) == 1
    assert client.get(API, {"label": "zürich tram"}).json()["results"] == []
    Upload.objects.update(labels="|Dog|")
    for old in ("dog", "DOG"):
        assert len(client.get(API, {"label": old}).json()["results"]) == 1


def test_the_list_comes_in_pages(client: Client) -> None:
    for _ in range(3):
        upload(client)
    first = client.get(API, {"page_size": 2}).json()
    assert len(first["results"]) == 2
    second = client.get(first["next"]).json()
    ids = {row["id"] for row in first["results"] + second["results"]}
    assert len(ids) == 3


def test_events_tell_progress_and_end_with_done(client: Client) -> None:
    answered = upload(client)
    response = client.get(answered["links"]["events"])
    assert response["Content-Type"] == "text/event-stream"
    body: Iterator[bytes] = iter(response.streaming_content)  # type: ignore[attr-defined]
    assert next(body).startswith(b"retry:")
    first = next(body).decode()
    assert first.startswith("event: progress\n")
    assert json.loads(first.split("data: ")[1])["state"] == "queued"
    work()
    last = list(body)[-1].decode()
    response.close()
    assert last.startswith("event: done\n")
    assert json.loads(last.split("data: ")[1])["state"] == "done"


def test_events_end_with_deleted_and_the_document_names_every_event(client: Client) -> None:
    answered = upload(client)
    response = client.get(answered["links"]["events"])
    body: Iterator[bytes] = iter(response.streaming_content)  # type: ignore[attr-defined]
    heard = [next(body), next(body)]
    client.delete(answered["links"]["self"])
    heard += body
    response.close()
    assert heard[-1].startswith(b"event: deleted\n")
    assert json.loads(heard[-1].split(b"data: ")[1]) == {"id": answered["id"]}
    described = client.get("/api/v1/schema", headers={"Accept": "application/json"}).json()
    stream = described["paths"]["/api/v1/uploads/{upload_id}/events"]["get"]["responses"]["200"]
    event = stream["content"]["text/event-stream"]["schema"]["properties"]["event"]
    assert set(event["enum"]) == {"progress", "done", "deleted"}


def test_more_event_streams_than_allowed_are_told_to_poll(
    client: Client, stranger: Client, settings: Any
) -> None:
    address, theirs = (upload(who)["links"]["events"] for who in (client, stranger))
    share = settings.UPLOAD_EVENT_STREAMS // 2
    open_streams = [client.get(address) for _ in range(share)]
    refused = client.get(address)
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused["Retry-After"]
    open_streams += [stranger.get(theirs) for _ in range(share)]
    assert {response.status_code for response in open_streams} == {200}
    third = Client()
    third.force_login(User.objects.create_user("cat", password="nobody-in-particular"))
    late = upload(third)["links"]["events"]
    assert third.get(late).status_code == 503
    for response in open_streams:
        response.close()
    for who, its in ((client, address), (third, late)):
        again = who.get(its)
        assert again.status_code == 200
        again.close()


def test_the_overlay_and_the_annotated_picture_show_what_is_over_the_threshold(
    client: Client,
) -> None:
    answered = upload(client, picture("red", size=(200, 100)))
    work()
    address = answered["links"]["self"]
    overlay = client.get(f"{address}/overlay.svg").content.decode()
    assert 'viewBox="0 0 200 100"' in overlay
    assert "red 90%" in overlay
    assert "speck" in overlay
    assert "speck" not in client.get(f"{address}/overlay.svg?threshold=0.5").content.decode()
    with Image.open(io.BytesIO(client.get(f"{address}/annotated.png").content)) as image:
        assert image.format == "PNG"
        assert len(image.getcolors(100_000) or ()) > 1
    assert client.get(f"{address}/overlay.svg?threshold=2").json()["field"] == "threshold"


def test_a_large_picture_is_drawn_on_a_smaller_one(client: Client) -> None:
    answered = upload(client, picture("red", size=(4_200, 1_050)))
    work()
    drawn = client.get(f"{answered['links']['self']}/annotated.png").content
    with Image.open(io.BytesIO(drawn)) as image:
        assert image.size == (2_048, 512)
        corner = image.getpixel((1_023, 254))  # of the box, which fills a quarter
        assert image.getpixel((1_500, 400)) != corner != image.getpixel((500, 150))


def test_one_picture_is_drawn_at_a_time_and_others_wait_a_bounded_time(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = upload(client)
    work()
    address = f"{answered['links']['self']}/annotated.png"
    monkeypatch.setattr(render, "WAIT_S", 0.05)
    with render._drawing:
        refused = client.get(address)
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused["Retry-After"]
    assert client.get(address).status_code == 200


def test_an_image_is_asked_about_each_time_and_sent_again_only_when_it_changed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = upload(client, picture("red"))
    work()
    address = answered["links"]["self"]
    marks = {}
    for part in ("picture", "thumbnail", "overlay.svg", "annotated.png"):
        first = client.get(f"{address}/{part}")
        assert first["Cache-Control"] == "private, no-cache"
        marks[part] = first["ETag"]
    assert len(set(marks.values())) == 4
    assert client.get(f"{address}/overlay.svg?threshold=0.5")["ETag"] != marks["overlay.svg"]
    monkeypatch.setattr(render, "annotated_png", lambda *_, **__: pytest.fail("drawn for nothing"))
    for part, mark in marks.items():
        again = client.get(f"{address}/{part}", HTTP_IF_NONE_MATCH=mark)
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", mark)
        assert again["Cache-Control"] == "private, no-cache"
    Upload.objects.update(objects_found={"objects": []})
    changed = client.get(f"{address}/overlay.svg", HTTP_IF_NONE_MATCH=marks["overlay.svg"])
    assert changed.status_code == 200


def test_a_picture_that_is_not_processed_yet_has_no_file_to_show(client: Client) -> None:
    assert client.get(f"{upload(client)['links']['self']}/picture").status_code == 404
