"""Progress that can be seen, and work that goes on where it was cut off."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self

import click

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

FLUSH_ROWS: Final = 256
ROW_FORM: Final = "2"
"""Of what a row done holds: an earlier version's rows are done again, not mixed with these."""


@contextmanager
def progress_bar(total: int, done: int = 0, *, label: str) -> Iterator[Callable[[int], None]]:
    """A bar on stderr with what is left and how fast; quiet when stderr is not a terminal."""
    bar: ProgressBar[int] = click.progressbar(
        length=total,
        label=label,
        show_pos=True,
        show_eta=True,
        file=sys.stderr,
        update_min_steps=max(1, total // 500),
    )
    with bar:
        bar.update(done)
        yield bar.update


class Course:
    """What a fit tells of itself on stderr: lines, and a bar once there is something to count. A
    line ends the bar, and the next goes on where it was."""

    def __init__(self) -> None:
        self._bar = ExitStack()
        self._update: Callable[[int], None] | None = None
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._end_bar()

    def line(self, text: str) -> None:
        self._end_bar()
        click.echo(text, err=True)

    def solved(self, done: int, total: int) -> None:
        """Moves the bar to ``done`` contents of ``total``."""
        if self._update is None:
            bar = progress_bar(total, self._done, label="contents solved")
            self._update = self._bar.enter_context(bar)
        self._update(done - self._done)
        self._done = done

    def _end_bar(self) -> None:
        self._bar.close()
        self._update = None


def fingerprint(source: Path, *parts: str) -> str:
    """Tells whether an earlier run was over the same file and with the same options."""
    stat = source.stat()
    text = "\0".join(
        (ROW_FORM, str(source.resolve()), str(stat.st_size), str(stat.st_mtime_ns), *parts)
    )
    return hashlib.sha256(text.encode()).hexdigest()


class PartialResults:
    """Rows done so far, beside the output, so that a run cut off can go on.

    The first line is the run's fingerprint; each further line one row as JSON. A last line that
    was cut in the middle is dropped and done again.
    """

    def __init__(self, output: Path, mark: str) -> None:
        self._path = output.with_name(f".{output.name}.partial")
        self._mark = mark
        self._stream: IO[str] | None = None
        self._unflushed = 0

    def open(self, *, restart: bool = False) -> int:
        """Opens for appending and returns how many rows an earlier run has done."""
        kept = [] if restart else self._earlier()
        with self._path.open("w", encoding="utf-8") as stream:
            stream.write(self._mark + "\n")
            stream.writelines(kept)
        self._stream = self._path.open("a", encoding="utf-8")
        return len(kept)

    def append(self, row: dict[str, Any]) -> None:
        if self._stream is None:
            raise ValueError("open() first")
        self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._unflushed += 1
        if self._unflushed >= FLUSH_ROWS:
            self._stream.flush()
            self._unflushed = 0

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows done, from the beginning."""
        if self._stream is not None and not self._stream.closed:
            self._stream.flush()
        with self._path.open(encoding="utf-8") as stream:
            next(stream)
            for line in stream:
                yield json.loads(line)

    def close(self) -> None:
        """Keeps the file for a later run."""
        if self._stream is not None:
            self._stream.close()

    def discard(self) -> None:
        """Removes the file, once the output is written."""
        self.close()
        self._path.unlink(missing_ok=True)

    def _earlier(self) -> list[str]:
        if not self._path.is_file():
            return []
        with self._path.open(encoding="utf-8") as stream:
            if stream.readline().strip() != self._mark:
                return []
            return [line for line in stream if line.endswith("\n")]
