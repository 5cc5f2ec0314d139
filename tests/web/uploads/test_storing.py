"""Files under a name that is theirs: whole at every moment, whatever becomes of their writer."""

from __future__ import annotations

import resource
import threading
from pathlib import Path

import pytest

from discern.web.uploads import storing
from discern.web.uploads.errors import StorageFull

NAME = "pictures/00/one/picture"
GOOD = b"good" * 50_000


def test_a_writer_that_finds_the_disk_full_leaves_what_another_stored(files: Path) -> None:
    storing.write(NAME, GOOD)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(GOOD) // 2, before[1]))
    try:
        with pytest.raises(StorageFull):
            storing.write(NAME, GOOD)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert storing.read(NAME) == GOOD
    assert [path.name for path in (files / NAME).parent.iterdir()] == ["picture"]


def test_a_file_that_is_written_again_is_whole_for_whoever_reads_it(files: Path) -> None:
    storing.write(NAME, GOOD)
    writers = [
        threading.Thread(target=lambda: [storing.write(NAME, GOOD) for _ in range(30)])
        for _ in range(2)
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert storing.read(NAME) == GOOD
    assert storing.write(NAME, b"other") == NAME
    assert storing.read(NAME) == b"other"
    assert [path.name for path in (files / NAME).parent.iterdir()] == ["picture"]
