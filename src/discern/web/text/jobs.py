"""Decides about files of texts: accepted as jobs, worked through in chunks, read back."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from discern.errors import DiscernError, InvalidInput, NotFound, TooLarge
from discern.text.calls import timely_calls
from discern.text.contract import Sentiment, check_text
from discern.web.accounts.models import User
from discern.web.api.errors import Conflict
from discern.web.jobs import services as jobs
from discern.web.jobs.models import BATCH, State
from discern.web.jobs.registry import Kind, register
from discern.web.jobs.work import Work
from discern.web.text import files, results
from discern.web.text.models import TextJob, TextJobChunk, TextJobSource
from discern.web.text.services import analyze

MAX_UNFINISHED: Final = 20
"""The most jobs of one person that wait or run."""


def accept(
    *,
    owner: User,
    content: bytes,
    name: str = "",
    format: str = "",
    column: str = "",
    has_header: bool = True,
) -> TextJob:
    """Stores a file and queues it, in one transaction.

    Raises:
        InvalidInput, EmptyInput, TooLarge: the file breaks a rule; nothing was stored.
        Conflict: :data:`MAX_UNFINISHED` jobs of this person are not finished yet.
    """
    check_size(len(content))
    text = files.decode(content)
    chosen = format or files.guess_format(name, text)
    layout = files.read_layout(text, format=chosen, column=column, has_header=has_header)
    if "\x00" in layout.column:
        raise InvalidInput("The column's name holds a NUL character.", field="column")
    total = files.count_rows(text, layout, limit=settings.TEXT_JOB_MAX_ROWS)
    job = TextJob(
        owner=owner,
        name=_plain(name)[:255] or f"texts.{chosen}",
        format=chosen,
        column=layout.column,
        has_header=has_header,
        priority=BATCH,
        progress_total=total,
    )
    with transaction.atomic():
        unfinished = TextJob.objects.filter(owner=owner, state__in=(State.QUEUED, State.PROCESSING))
        if unfinished.count() >= MAX_UNFINISHED:
            raise Conflict(f"{MAX_UNFINISHED} of your files wait or run already; let one finish.")
        jobs.enqueue(job)
        TextJobSource.objects.create(job=job, content=zlib.compress(content, level=3))
    return job


def check_size(size: int) -> None:
    """Raises TooLarge when a file has more bytes than are allowed."""
    limit: int = settings.TEXT_JOB_MAX_BYTES
    if size > limit:
        raise TooLarge(
            f"The file has {size:,} bytes; the limit is {limit:,}.", field="file", limit=limit
        )


def jobs_of(*, owner: User) -> QuerySet[TextJob]:
    """The person's text jobs."""
    return TextJob.objects.filter(owner=owner)


def job_of(*, owner: User, job_id: UUID) -> TextJob:
    """One job; NotFound when it is not there or another person's."""
    job = jobs_of(owner=owner).filter(pk=job_id).first()
    if job is None:
        raise NotFound("You have no such text job.")
    return job


def delete(*, owner: User, job_id: UUID) -> None:
    """Deletes a job with its file and results; a worker on it stops at its next chunk."""
    job_of(owner=owner, job_id=job_id).delete()


def retry(*, owner: User, job_id: UUID) -> TextJob:
    """Queues a failed or dead job again; the chunks it finished stay.

    Raises:
        Conflict: the job is in another state.
    """
    job = job_of(owner=owner, job_id=job_id)
    if not jobs.retry(job):
        raise Conflict(f"Only a failed or dead job can be tried again; this one is {job.state}.")
    job.refresh_from_db()
    return job


def rows_of(
    job: TextJob, *, offset: int, limit: int, label: str | None = None
) -> list[dict[str, Any]]:
    """Results of at most ``limit`` finished rows from the 0-based ``offset`` on; with ``label``,
    of the rows that have it, which takes time in proportion to the rows before them."""
    if label is not None:
        wanted = (row for row in _all_results(job) if row["label"] == label)
        return list(islice(wanted, offset, offset + limit))
    numbers = results.slice_of_chunks(offset, limit)
    chunks = job.chunks.filter(number__in=list(numbers)).order_by("number")
    found = [row for chunk in chunks for row in results.unpack(bytes(chunk.content))]
    return [row for row in found if offset < row["row"] <= offset + limit]


def result_csv(job: TextJob) -> Iterator[str]:
    """The finished job as lines of CSV.

    Raises:
        Conflict: it is not done.
    """
    if job.state != State.DONE:
        raise Conflict(f"The result comes once the job is done; it is {job.state}.")
    text, layout = _source(job)
    # Done is done: a file taken before open quotes were refused gives its result all the same.
    rows = files.read_rows(text, layout, closed=False)
    return results.csv_lines(layout.columns, rows, _all_results(job), job.labels)


def process(work: Work[TextJob]) -> Mapping[str, Any] | None:
    """The handler: reads the file on from its last stored chunk."""
    job = work.job
    text, layout = _source(job)
    number = job.chunks.count()
    rows = files.read_rows(text, layout)
    for _ in islice(rows, number * files.CHUNK_ROWS):
        pass
    while chunk := list(islice(rows, files.CHUNK_ROWS)):
        work.check()
        done = _read_chunk(chunk, first=number * files.CHUNK_ROWS + 1)
        _store(work, number, done)
        number += 1
    return None


def _store(work: Work[TextJob], number: int, done: list[dict[str, Any]]) -> None:
    job = work.job
    moods = [row for row in done if not row["error"]]
    labels = Counter(row["label"] for row in moods)
    refused = Counter(row["error"]["code"] for row in done if row["error"])
    columns = work.progress(number * files.CHUNK_ROWS + len(done))
    columns["counts"] = dict(Counter(job.counts) + labels)
    columns["errors"] = dict(Counter(job.errors) + refused)
    if moods:
        columns["labels"] = job.labels or list(moods[0]["scores"])
        columns["model_name"], _, columns["model_version"] = moods[-1]["model"].rpartition(" ")
    with work.fenced(**columns):
        TextJobChunk.objects.create(job=job, number=number, content=results.pack(done))


def _read_chunk(rows: list[files.Row], *, first: int) -> list[dict[str, Any]]:
    good: list[tuple[int, str]] = []
    done: list[dict[str, Any] | None] = []
    for at, row in enumerate(rows):
        try:
            if row.problem is not None:
                raise InvalidInput(row.problem)
            good.append((at, check_text(row.text)))
            done.append(None)
        except InvalidInput as error:
            done.append(results.bad_result(first + at, row, error))
    for at, mood in _moods(good):
        if isinstance(mood, DiscernError):
            done[at] = results.bad_result(first + at, rows[at], mood)
        else:
            done[at] = results.good_result(first + at, rows[at], mood)
    return [row for row in done if row is not None]


def _moods(texts: list[tuple[int, str]]) -> Iterator[tuple[int, Sentiment | DiscernError]]:
    for batch in timely_calls(texts, lambda item: len(item[1])):
        try:
            moods = analyze(texts=[text for _, text in batch])
        except InvalidInput as error:
            # A rule of the model's own: find the text that breaks it, the others are not at fault.
            if len(batch) == 1:
                yield batch[0][0], error
            else:
                for one in batch:
                    yield from _moods([one])
        else:
            yield from zip((at for at, _ in batch), moods, strict=True)


def _source(job: TextJob) -> tuple[str, files.Layout]:
    text = files.decode(zlib.decompress(bytes(job.source.content)))
    layout = files.read_layout(
        text, format=job.format, column=job.column, has_header=job.has_header
    )
    return text, layout


def _all_results(job: TextJob) -> Iterator[dict[str, Any]]:
    chunks = job.chunks.order_by("number").values_list("content", flat=True)
    for content in chunks.iterator(chunk_size=8):
        yield from results.unpack(bytes(content))


def _plain(name: str) -> str:
    return name.replace("\x00", "\ufffd").strip()


def register_kind() -> None:
    """Makes workers know text jobs."""
    register(Kind("text", TextJob, process, lease_s=settings.JOB_LEASE_S, time_limit_s=6 * 3600.0))
