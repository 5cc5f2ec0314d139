"""Files of contents and interactions: taken in by workers, row by row, harmless to repeat."""

from __future__ import annotations

import csv
import io
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import orjson
from django.conf import settings
from django.db.models import QuerySet

from discern.errors import EmptyInput, InvalidInput, NotFound, TooLarge
from discern.recommendations.contract import Content, Interaction
from discern.recommendations.files import (
    COLUMNS,
    csv_rows,
    parse_content,
    parse_interaction,
)
from discern.recommendations.parquet import read_parquet
from discern.web.jobs import services as jobs
from discern.web.jobs.models import BATCH, State
from discern.web.jobs.registry import Kind, register
from discern.web.jobs.work import Work
from discern.web.recommendations.bulk import CONTENTS_AT_ONCE, INTERACTIONS_AT_ONCE
from discern.web.recommendations.columns import moment
from discern.web.recommendations.contents import put_contents
from discern.web.recommendations.interactions import record
from discern.web.recommendations.models import ImportJob

if TYPE_CHECKING:
    from discern.web.accounts.models import User

PARQUET_MAGIC: Final = b"PAR1"
MAX_PROBLEMS: Final = 20
KINDS: Final = tuple(ImportJob.Kind.values)


def accept(*, owner: User, kind: str, content: bytes, name: str = "") -> ImportJob:
    """Stores a CSV, JSON Lines or Parquet file and queues it.

    Raises:
        InvalidInput: not a kind, or not a file of that form. EmptyInput: no rows.
        TooLarge: over the limit. MissingExtra: Parquet without pyarrow.
    """
    if kind not in KINDS:
        raise InvalidInput(f"'kind' must be one of {', '.join(KINDS)}.", field="kind")
    check_size(len(content))
    rows = sum(1 for _ in read(content))
    if not rows:
        raise EmptyInput("The file holds no rows.", field="file")
    job = ImportJob(
        owner=owner,
        kind=kind,
        name=name.replace("\x00", "\ufffd")[:255] or kind,
        content=zlib.compress(content),
        progress_total=rows,
        priority=BATCH,
    )
    jobs.enqueue(job)
    return job


def check_size(size: int) -> None:
    """Raises TooLarge for a file of more bytes than are taken."""
    limit = settings.TEXT_JOB_MAX_BYTES
    if size > limit:
        raise TooLarge(
            f"The file has {size:,} bytes; the limit is {limit:,}.", field="file", limit=limit
        )


def read(content: bytes) -> Iterator[Mapping[str, Any]]:
    """The rows of a Parquet file, told by its first bytes, of a CSV file or, where the first
    character is ``{``, of JSON Lines. A line that is no JSON object comes as a row without columns.

    Raises:
        InvalidInput: not readable Parquet, not UTF-8, or not CSV.
        TooLarge: Parquet that unpacks to too much at a time.
        MissingExtra: Parquet without pyarrow.
    """
    if content.startswith(PARQUET_MAGIC):
        yield from read_parquet(io.BytesIO(content), name="the file", columns=COLUMNS)
        return
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("The file is not UTF-8.", field="file") from None
    if text.lstrip()[:1] == "{":
        yield from (_json_row(line) for line in text.splitlines() if line.strip())
        return
    try:
        rows = csv_rows(io.StringIO(text, newline=""))
        names = [name.strip().lower() for name in next(rows, [])]
        yield from (dict(zip(names, chain(row, repeat(None)), strict=False)) for row in rows if row)
    except csv.Error as error:
        raise InvalidInput(f"The file is not CSV: {error}.", field="file") from None


def process(work: Work[ImportJob]) -> Mapping[str, Any]:
    """Takes in the rest of the file. Rows are idempotent, so a part done twice changes nothing."""
    job = work.job
    counts: Counter[str] = Counter(job.counts)
    problems = list(job.problems)
    done = job.progress_done
    rows = islice(enumerate(read(zlib.decompress(bytes(job.content))), 1), done, None)
    contents = job.kind == ImportJob.Kind.CONTENTS
    while part := list(islice(rows, CONTENTS_AT_ONCE if contents else INTERACTIONS_AT_ONCE)):
        work.check()
        _take(job.kind, part, counts, problems)
        done += len(part)
        progress = work.progress(done, job.progress_total)
        with work.fenced(**progress, counts=dict(counts), problems=problems):
            pass
    return {"counts": dict(counts), "problems": problems, "content": b""}


def drop_files() -> dict[str, int]:
    """Lets go of the files of imports that failed: nobody can ask for them, and there may be
    people in them who have been erased since. Returns how many."""
    ended = ImportJob.objects.filter(state__in=(State.FAILED, State.DEAD)).exclude(content=b"")
    return {"files of failed imports": ended.update(content=b"")}


def jobs_of(*, owner: User) -> QuerySet[ImportJob]:
    """The owner's files, without what is in them."""
    return ImportJob.objects.filter(owner=owner).defer("content")


def job_of(*, owner: User, job_id: UUID) -> ImportJob:
    """One file; NotFound when it is not there or another person's."""
    found = jobs_of(owner=owner).filter(pk=job_id).first()
    if found is None:
        raise NotFound("You have no such import.")
    return found


def register_kind() -> None:
    """Makes workers know imports."""
    register(
        Kind(
            "import",
            ImportJob,
            process,
            lease_s=settings.JOB_LEASE_S,
            time_limit_s=6 * 3600.0,
            tidy=drop_files,
        )
    )


def _take(
    kind: str,
    part: list[tuple[int, Mapping[str, Any]]],
    counts: Counter[str],
    problems: list[str],
) -> None:
    parse = _content if kind == ImportJob.Kind.CONTENTS else _interaction
    good: list[Any] = []
    for number, row in part:
        try:
            good.append(parse(row, f"row {number}"))
        except InvalidInput as error:
            counts["refused"] += 1
            if len(problems) < MAX_PROBLEMS:
                problems.append(error.message)
    if not good:
        return
    if kind == ImportJob.Kind.CONTENTS:
        taken = put_contents(contents=good)
    else:
        taken = record(interactions=good)
    counts.update({name: count for name, count in asdict(taken).items() if count})


def _content(row: Mapping[str, Any], where: str) -> Content:
    content = parse_content(row, where=where)
    moment(content.created_at)
    return content


def _interaction(row: Mapping[str, Any], where: str) -> Interaction:
    event = parse_interaction(row, where=where)
    moment(event.at)
    return event


def _json_row(line: str) -> Mapping[str, Any]:
    try:
        row = orjson.loads(line)  # unlike json it refuses lone surrogates, which no table takes
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}
