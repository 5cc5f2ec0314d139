"""Pulling models, against a real HTTP server that misbehaves as servers do."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from discern.catalog import download as download_module
from discern.catalog import pull as room
from discern.catalog.store import Store
from discern.errors import DigestMismatch, DownloadFailed, ModelNotFound

CONTENT = bytes(range(256)) * 4_000


@dataclass
class Server:
    """What the server does, and what it was asked."""

    url: str = ""
    content: bytes = CONTENT
    path: str = "/file.onnx"
    ranges: bool = True
    break_after: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    requests: list[tuple[str, str | None]] = field(default_factory=list)


def _handler(plan: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            plan.requests.append((self.path, asked))
            if plan.statuses:
                return self._empty(plan.statuses.pop(0))
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", plan.url + plan.path)
                self.send_header("Content-Length", "0")
                return self.end_headers()
            if self.path != plan.path:
                return self._empty(404)
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and plan.ranges else 0
            body = plan.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            if start:
                last = len(plan.content) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
            self.end_headers()
            self.wfile.write(body[: plan.break_after.pop(0)] if plan.break_after else body)
            return None

        def _empty(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download_module.time, "sleep", lambda _seconds: None)
    plan = Server()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _handler(plan))
    httpd.daemon_threads = True
    plan.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield plan
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture
def folder(tmp_path: Path, server: Server) -> Path:
    """A catalog of one entry whose file the server publishes."""
    entries = tmp_path / "entries"
    entries.mkdir()
    (entries / "tiny.toml").write_text(
        f"""
        name = "tiny"
        version = "1.0"
        task = "object-detection"
        format = "onnx"
        license = "Apache-2.0"
        origin = "a test"
        [[files]]
        path = "file.onnx"
        bytes = {len(CONTENT)}
        sha256 = "{hashlib.sha256(CONTENT).hexdigest()}"
        address = "{server.url}/file.onnx"
        """
    )
    return entries


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home", shipped=tmp_path / "none")


def test_a_pulled_model_is_installed_verified_and_reported(
    server: Server, folder: Path, store: Store
) -> None:
    seen: list[tuple[int, int]] = []
    bundle = room.pull(
        "tiny", store=store, folder=folder, progress=lambda done, total: seen.append((done, total))
    )
    assert bundle.path("file.onnx").read_bytes() == CONTENT
    assert store.find("tiny").manifest.license == "Apache-2.0"
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert not (store.home / "incoming" / "tiny-1.0").exists()


def test_a_second_pull_asks_no_server(server: Server, folder: Path, store: Store) -> None:
    room.pull("tiny", store=store, folder=folder)
    server.requests.clear()
    room.pull("tiny", store=store, folder=folder)
    assert server.requests == []


def test_a_broken_download_goes_on_where_it_stopped(
    server: Server, folder: Path, store: Store
) -> None:
    server.break_after = [300_000, 200_000]
    room.pull("tiny", store=store, folder=folder)
    starts = [asked for _, asked in server.requests]
    assert starts[0] is None
    assert len(starts) == 3
    assert all(asked and int(asked[6:-1]) > 0 for asked in starts[1:])
    assert store.find("tiny").path("file.onnx").read_bytes() == CONTENT


def test_a_later_call_takes_up_what_an_earlier_one_left(
    server: Server, folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "ATTEMPTS", 1)
    server.break_after = [300_000]
    with pytest.raises(DownloadFailed, match="kept for the next try"):
        room.pull("tiny", store=store, folder=folder)
    kept = (store.home / "incoming" / "tiny-1.0" / "file.onnx").stat().st_size
    assert kept > 0
    room.pull("tiny", store=store, folder=folder)
    assert server.requests[-1][1] == f"bytes={kept}-"


def test_a_server_without_ranges_is_read_from_the_start_again(
    server: Server, folder: Path, store: Store
) -> None:
    server.ranges = False
    server.break_after = [300_000]
    room.pull("tiny", store=store, folder=folder)
    assert store.find("tiny").path("file.onnx").read_bytes() == CONTENT


def test_a_server_that_always_breaks_off_is_given_up(
    server: Server, folder: Path, store: Store
) -> None:
    server.ranges = False
    server.break_after = [1_000] * 50
    with pytest.raises(DownloadFailed, match="DISCERN_MODEL_MIRROR"):
        room.pull("tiny", store=store, folder=folder)
    assert len(server.requests) <= download_module.ATTEMPTS + 1


def test_passing_trouble_of_the_server_is_waited_out(
    server: Server, folder: Path, store: Store
) -> None:
    server.statuses = [503, 429]
    room.pull("tiny", store=store, folder=folder)
    assert len(server.requests) == 3


def test_a_missing_file_is_not_asked_for_again(server: Server, folder: Path, store: Store) -> None:
    server.path = "/elsewhere"
    with pytest.raises(DownloadFailed, match="404"):
        room.pull("tiny", store=store, folder=folder)
    assert len(server.requests) == 1


def test_a_file_with_another_digest_is_never_installed(
    server: Server, folder: Path, store: Store
) -> None:
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(DigestMismatch, match="deleted"):
        room.pull("tiny", store=store, folder=folder)
    with pytest.raises(ModelNotFound):
        store.find("tiny")
    server.content = CONTENT
    room.pull("tiny", store=store, folder=folder)


def test_a_server_that_sends_too_much_is_cut_off(
    server: Server, folder: Path, store: Store
) -> None:
    server.content = CONTENT * 20
    with pytest.raises(DigestMismatch, match="more than"):
        room.pull("tiny", store=store, folder=folder)
    assert not (store.home / "incoming" / "tiny-1.0" / "file.onnx").exists()


def test_a_redirect_is_followed(server: Server, tmp_path: Path) -> None:
    part = tmp_path / "part"
    download_module.download(f"{server.url}/moved", part, len(CONTENT))
    assert part.read_bytes() == CONTENT


def test_no_server_at_all_says_what_to_do(folder: Path, store: Store, server: Server) -> None:
    entry = folder / "tiny.toml"
    entry.write_text(entry.read_text().replace(server.url, "http://127.0.0.1:9"))
    with pytest.raises(DownloadFailed, match=r"no connection.*DISCERN_MODEL_MIRROR"):
        room.pull("tiny", store=store, folder=folder)


@pytest.mark.parametrize("layout", ["file.onnx", "tiny/1.0/file.onnx"])
def test_a_mirror_folder_stands_in_and_is_verified_too(
    layout: str, folder: Path, store: Store, tmp_path: Path, server: Server
) -> None:
    file = tmp_path / "mirror" / layout
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not it")
    with pytest.raises(DigestMismatch):
        room.pull("tiny", store=store, folder=folder, mirror=str(tmp_path / "mirror"))
    file.write_bytes(CONTENT)
    room.pull("tiny", store=store, folder=folder, mirror=str(tmp_path / "mirror"))
    assert server.requests == []


def test_a_mirror_address_stands_in(server: Server, folder: Path, store: Store) -> None:
    server.path = "/models/file.onnx"
    room.pull("tiny", store=store, folder=folder, mirror=f"{server.url}/models/")
    assert [path for path, _ in server.requests] == [
        "/models/tiny/1.0/file.onnx",
        "/models/file.onnx",
    ]


def test_the_mirror_variable_is_read(
    server: Server, folder: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCERN_MODEL_MIRROR", str(tmp_path))
    with pytest.raises(DownloadFailed, match="holds neither"):
        room.pull("tiny", store=store, folder=folder)


def test_two_pulls_at_once_fetch_once(server: Server, folder: Path, store: Store) -> None:
    threads = [
        threading.Thread(
            target=room.pull, args=("tiny",), kwargs={"store": store, "folder": folder}
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 1
    assert store.find("tiny").path("file.onnx").read_bytes() == CONTENT


def test_the_shipped_entries_pin_their_address_size_digest_and_license() -> None:
    found = {item.name: item for item in room.entries()}
    assert {"yolox-s", "nanodet-m"} <= set(found)
    for item in found.values():
        assert item.manifest.license == "Apache-2.0"
        for file in item.manifest.files:
            assert "966be4cb6eefc2a4f586ed0581bf4bbaa2533070" in item.addresses[file.path]
            assert item.addresses[file.path].startswith("https://")


def test_the_command_lists_what_can_be_pulled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from discern.cli.pull import pull

    monkeypatch.setenv("DISCERN_HOME", str(tmp_path))
    result = CliRunner().invoke(pull, ["--json"])
    rows = {row["name"]: row for row in json.loads(result.output)}
    assert rows["yolox-s"]["here"] is False
    assert rows["yolox-s"]["bytes"] == 35_858_002


def test_a_file_of_ones_own_can_be_added_and_found(store: Store, tmp_path: Path) -> None:
    model = tmp_path / "mine.onnx"
    model.write_bytes(CONTENT)
    room.add(
        model,
        name="mine",
        task="object-detection",
        labels=("cat", 'a "dog"'),
        preprocessing={"family": "yolox"},
        store=store,
    )
    manifest = store.find("mine").manifest
    assert manifest.labels == ("cat", 'a "dog"')
    assert manifest.preprocessing["family"] == "yolox"
