"""The library's contents on the disk: added to by many, cut off anywhere, and still as a dict."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from hypothesis import given, settings
from hypothesis import strategies as st

from discern.errors import InvalidInput
from discern.recommendations import content_log
from discern.recommendations.content_log import CONTENTS_NAME
from discern.recommendations.contract import Content
from discern.recommendations.library import Library

contents = st.builds(
    Content,
    id=st.integers(0, 9).map(lambda i: f"c{i}"),
    title=st.text(max_size=12).map(str.strip),
    created_at=st.one_of(st.none(), st.floats(0, 1e9)),
)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(contents, min_size=1, max_size=5)),
        st.tuples(st.just("put by another"), st.lists(contents, min_size=1, max_size=5)),
        st.tuples(st.just("add"), st.lists(contents, min_size=1, max_size=5)),
        st.tuples(st.just("anew"), st.lists(contents, min_size=1, max_size=5)),
        st.tuples(st.just("delete"), contents.map(lambda c: [Content(c.id, available=False)])),
        st.tuples(st.just("reload"), st.just([])),
        st.tuples(st.just("cut off"), st.lists(contents, min_size=1, max_size=5)),
    ),
    max_size=25,
)


def _put(known: dict[str, Content], given: list[Content]) -> dict[str, Content]:
    known = dict(known)
    for content in {content.id: content for content in given}.values():
        before = known.get(content.id)
        if content.created_at is None and before is not None:
            content = replace(content, created_at=before.created_at)
        known[content.id] = content
    return known


@given(done=actions, part=st.floats(0, 1, exclude_max=True), slack=st.sampled_from([0, 10**6]))
@settings(max_examples=150, deadline=None)
def test_whatever_is_put_deleted_cut_off_and_read_again_the_library_is_as_a_dict(
    done: list[tuple[str, list[Content]]], part: float, slack: int
) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(content_log, "SLACK_BYTES", slack)
        folder = Path(name)
        library, other, known = Library(folder), Library(folder), dict[str, Content]()
        for action, given_contents in done:
            if action == "reload":
                library = Library(folder)
            elif action == "cut off":
                _cut_off(folder / CONTENTS_NAME, given_contents, part)
            elif action in ("add", "anew"):
                library.add_contents(given_contents, anew=action == "anew")
                known = _put(known, given_contents)
            else:
                told = other if action == "put by another" else library
                added, replaced = told.put_contents(given_contents)
                after = _put(known, given_contents)
                assert added == len(after) - len(known)
                assert added + replaced == len({content.id for content in given_contents})
                known = after
            assert library.contents() == other.contents() == list(known.values())


def _cut_off(path: Path, given_contents: list[Content], part: float) -> None:
    """A put of which only a part reached the file, as when the process or the machine died."""
    if not path.is_file() or not path.read_bytes().endswith(b"}\n"):
        return  # the next put comes after the cut, so there are never two of them
    lines = b"".join(json.dumps(asdict(content)).encode() + b"\n" for content in given_contents)
    whole = lines + b'{"end": %d, "base": 1}\n' % len(given_contents)
    with path.open("ab") as stream:
        stream.write(whole[: int(part * len(whole))])


def test_what_was_cut_off_is_counted_once_and_does_not_come_back(tmp_path: Path) -> None:
    Library(tmp_path).put_contents([Content("a"), Content("b")])
    path = tmp_path / CONTENTS_NAME
    with path.open("ab") as stream:
        stream.write(b'{"id": "lost"}\n{"id": "al')
    library = Library(tmp_path)
    assert [content.id for content in library.contents()] == ["a", "b"]
    library.put_contents([Content("c")])
    assert library.dropped_contents == 2
    library.put_contents([Content("d")])
    assert library.dropped_contents == 2
    assert [content.id for content in Library(tmp_path).contents()] == ["a", "b", "c", "d"]


def test_a_file_of_before_there_were_ends_is_read_and_added_to(tmp_path: Path) -> None:
    rows = [asdict(Content(name, title=name.upper(), created_at=5.0)) for name in ("a", "b")]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / CONTENTS_NAME).write_text(lines)
    library = Library(tmp_path)
    assert [content.title for content in library.contents()] == ["A", "B"]
    assert library.put_contents([Content("b", title="new"), Content("c")]) == (1, 1)
    assert [(c.id, c.title, c.created_at) for c in library.contents()] == [
        ("a", "A", 5.0),
        ("b", "new", 5.0),
        ("c", "", None),
    ]


def test_damage_that_is_no_cut_is_told_and_not_taken_for_contents(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.put_contents([Content("a"), Content("b")])
    path = tmp_path / CONTENTS_NAME
    path.write_bytes(path.read_bytes().replace(b'"end": 2', b'"end": 3'))
    with pytest.raises(InvalidInput, match="damaged"):
        library.contents()


@pytest.mark.parametrize(
    "damage",
    [
        b"\x00" * 40 + b"\n",
        b"[" * 100_000 + b"\n",
        b'{"title": "no id"}\n',
        b'{"end": 7, "base": 1}\n',
    ],
)
def test_a_damaged_file_is_mended_by_whoever_has_the_contents(
    damage: bytes, tmp_path: Path
) -> None:
    library = Library(tmp_path)
    library.put_contents([Content("a"), Content("b")])
    path = tmp_path / CONTENTS_NAME
    head, first, rest = path.read_bytes().split(b"\n", 2)
    path.write_bytes(head + b"\n" + first + b"\n" + damage + rest)
    library.add_contents([Content("c")])
    with pytest.raises(InvalidInput, match="damaged"):
        library.contents()
    library.add_contents([Content("d", title="D")], anew=True)
    assert [content.id for content in library.contents()] == ["a", "b", "c", "d"]
    assert Library(tmp_path).put_contents([Content("d"), Content("e")]) == (1, 1)


def test_a_copy_put_back_in_the_files_place_is_counted_anew(tmp_path: Path) -> None:
    library, path = Library(tmp_path), tmp_path / CONTENTS_NAME
    library.put_contents([Content("a")])
    copy = path.read_bytes()
    library.put_contents([Content("b", text="words " * 100)])
    library.put_contents([Content("a")])
    path.write_bytes(copy)
    assert library.put_contents([Content("b")]) == (1, 0)
    assert library.put_contents([Content("b"), Content("c", text="words " * 200)]) == (1, 1)
    assert library.put_contents([Content("c")]) == (0, 1)


def test_what_a_killed_process_was_writing_anew_does_not_stay(tmp_path: Path) -> None:
    (tmp_path / ".contents-killed").write_bytes(b"half")
    Library(tmp_path).put_contents([Content("a")])
    assert not (tmp_path / ".contents-killed").exists()


def test_the_name_of_a_file_written_anew_is_on_the_disk_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    Library(tmp_path).add_contents([Content("a")])
    assert synced[-1] == tmp_path


_FULL = """
import resource, signal, sys
from pathlib import Path
from discern.recommendations.contract import Content
from discern.recommendations.library import Library
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])
library = Library(folder)
size = (folder / "contents.jsonl").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 300, resource.RLIM_INFINITY))
for _ in range(2):
    try:
        library.put_contents([Content(f"lost{i}", text="words") for i in range(50)])
    except OSError:
        print("full")
print([content.id for content in library.contents()])
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(library.put_contents([Content("b"), Content("a")]))
"""


def test_a_disk_that_is_full_keeps_none_of_a_put_and_all_that_was_there(tmp_path: Path) -> None:
    Library(tmp_path).put_contents([Content("a")])
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["full", "full", "['a']", "(1, 1)"]
    assert [content.id for content in Library(tmp_path).contents()] == ["a", "b"]


def test_a_put_costs_what_is_put_and_not_what_is_there(tmp_path: Path) -> None:
    library = Library(tmp_path)
    long = "words " * 200
    library.put_contents([Content(f"c{i}", text=long) for i in range(2_000)])
    path = tmp_path / CONTENTS_NAME
    before = path.stat()
    library.put_contents([Content("one more", text=long)])
    after = path.stat()
    assert after.st_ino == before.st_ino
    assert after.st_size - before.st_size < 2 * len(long)


def test_the_file_does_not_grow_with_how_often_the_same_is_put(tmp_path: Path) -> None:
    library = Library(tmp_path)
    same = [Content(f"c{i}", text="words " * 2_000) for i in range(100)]
    for _ in range(20):
        library.put_contents(same)
    once = len(same) * len(same[0].text)
    assert (tmp_path / CONTENTS_NAME).stat().st_size < 2.5 * once + content_log.SLACK_BYTES
    library.add_contents([Content("c0", available=False)], anew=True)
    assert (tmp_path / CONTENTS_NAME).stat().st_size < 1.2 * once


_PUTS = """
import sys
from pathlib import Path
from discern.recommendations import content_log
from discern.recommendations.contract import Content
from discern.recommendations.library import Library
content_log.SLACK_BYTES = 2_000
library = Library(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    library.put_contents([Content(f"{sys.argv[2]}-{number}-{part}") for part in range(3)])
    print(number, flush=True)
"""


def test_processes_that_add_at_once_lose_nothing_and_one_that_is_killed_loses_no_half(
    tmp_path: Path,
) -> None:
    def start(name: str, count: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _PUTS, str(tmp_path), name, str(count)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    steady, killed = [start(name, 25) for name in ("x", "y")], start("killed", 10_000)
    assert killed.stdout is not None
    for _ in range(5):
        killed.stdout.readline()
    time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    told = 5 + len([line for line in killed.communicate()[0].splitlines() if line])
    for process in steady:
        process.communicate()
        assert process.returncode == 0
    found = [content.id for content in Library(tmp_path).contents()]
    assert len(found) == len(set(found))
    for name in ("x", "y"):
        assert sum(content.startswith(f"{name}-") for content in found) == 75
    of_killed = sum(content.startswith("killed-") for content in found)
    assert of_killed % 3 == 0
    assert of_killed >= 3 * told
