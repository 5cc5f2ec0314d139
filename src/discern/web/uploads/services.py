"""Accepts, shows, retries and deletes uploads; a file is stored and queued, or neither."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from django.conf import settings
from django.db import Error as DatabaseFailure
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from discern.errors import DiscernError, EmptyInput, InvalidInput, NotFound, TooLarge
from discern.vision.contract import MAX_IMAGE_BYTES, ImageLimits
from discern.vision.formats import inspect
from discern.web.accounts.models import User
from discern.web.api.errors import Conflict
from discern.web.jobs import bells
from discern.web.jobs import services as jobs
from discern.web.jobs.models import BATCH, INTERACTIVE
from discern.web.uploads import quotas, storing
from discern.web.uploads.errors import IdempotencyKeyReused
from discern.web.uploads.leftovers import doubts
from discern.web.uploads.models import (
    FINDS,
    MAX_NAME_CHARS,
    IdempotentRequest,
    ResumableUpload,
    Upload,
    folder_of,
)

MAX_FILES: Final = 20
"""The most files accepted in one request."""

MAX_KEY_CHARS: Final = 255
PRIORITIES: Final = {"interactive": INTERACTIVE, "batch": BATCH}


class Incoming(Protocol):
    """A file as a form brings it."""

    @property
    def name(self) -> str | None: ...

    def read(self, num_bytes: int = ...) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that was read and found to be a picture, not yet stored."""

    name: str
    media_type: str
    data: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that was not accepted. ``index`` is its place in the request."""

    index: int
    name: str
    error: DiscernError


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a request's files: rows in the order sent, and what was refused."""

    uploads: tuple[Upload, ...]
    rejected: tuple[Rejected, ...] = ()


def accept(
    *,
    owner: User,
    files: Sequence[Incoming],
    priority: int = INTERACTIVE,
    find: str | None = None,
) -> Accepted:
    """Stores and queues every file that is a picture; the others are returned with their error.

    Raises:
        EmptyInput, TooLarge: no file, or too many.
        InvalidInput: ``find`` is not as :func:`check_find` wants it.
        QuotaExceeded: the person's room does not hold them; nothing is kept.
        StorageFull: the disk does not; nothing is kept.
    """
    asked = check_find(find)
    candidates, rejected = examine(files)
    if not candidates:
        return Accepted((), tuple(rejected))
    rows = store(owner=owner, candidates=candidates, priority=priority, find=asked)
    return Accepted(tuple(rows), tuple(rejected))


def examine(files: Sequence[Incoming]) -> tuple[list[Candidate], list[Rejected]]:
    """Reads each file and looks at its structure; nothing is decoded and nothing stored."""
    if not files:
        raise EmptyInput("Send at least one picture in the form field 'files'.", field="files")
    if len(files) > MAX_FILES:
        raise TooLarge(
            f"{len(files)} files were sent; the limit is {MAX_FILES} a request.",
            field="files",
            limit=MAX_FILES,
        )
    candidates: list[Candidate] = []
    rejected: list[Rejected] = []
    for index, file in enumerate(files):
        name = clean_name(file.name or "")
        try:
            candidates.append(look_at(name, file.read(MAX_IMAGE_BYTES + 1)))
        except DiscernError as error:
            rejected.append(Rejected(index, name, error))
    return candidates, rejected


def look_at(name: str, data: bytes) -> Candidate:
    """What a file is, by its content alone.

    Raises:
        EmptyInput, UnsupportedMedia, CorruptMedia, TooLarge: as
            :func:`discern.vision.formats.inspect`.
    """
    return Candidate(name, inspect(data, ImageLimits()).media_type, data)


def clean_name(name: str) -> str:
    """The client's file name as it may be shown: the last part of a path, printable, bounded.
    It is never used as a path."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    printable = "".join(char for char in last if char.isprintable()).strip().lstrip(".")
    return printable[:MAX_NAME_CHARS] or "picture"


def check_find(given: str | None) -> str:
    """What is to be found, separated by commas and in order; the site's setting if None.

    Raises:
        InvalidInput: there is another word in it, or none.
    """
    if given is None:
        return str(settings.UPLOAD_FIND)
    asked = {name.strip() for name in given.split(",")}
    if not asked or not asked <= set(FINDS):
        raise InvalidInput(
            f"'find' must be one or more of {', '.join(FINDS)}, separated by commas.", field="find"
        )
    return ",".join(name for name in FINDS if name in asked)


def check_priority(given: str | None) -> int:
    """How urgent work of that name is; of somebody who waits for it, if None.

    Raises:
        InvalidInput: it is another word.
    """
    if given is None:
        return INTERACTIVE
    if given not in PRIORITIES:
        raise InvalidInput(f"'priority' must be one of {', '.join(PRIORITIES)}.", field="priority")
    return PRIORITIES[given]


def store(
    *, owner: User, candidates: Sequence[Candidate], priority: int, find: str
) -> list[Upload]:
    """Writes the files, then all their rows in a transaction of their own; on any failure nothing
    is kept. ``find`` is as :func:`check_find` returns it.

    Raises:
        QuotaExceeded, StorageFull: as :func:`accept`.
        RuntimeError: a transaction is under way, whose end could part the files from their rows.
    """
    with (
        written(owner=owner, candidates=candidates, priority=priority, find=find) as rows,
        transaction.atomic(durable=True),
    ):
        put_in(owner=owner, rows=rows)
    return rows


@contextmanager
def written(
    *, owner: User, candidates: Sequence[Candidate], priority: int, find: str
) -> Iterator[list[Upload]]:
    """Writes the files and gives the block their rows, to be stored with :func:`put_in` in a
    transaction that ends within the block. What of the rows is then not in the database loses its
    files, whatever the block raised: also when a COMMIT failed, or its answer was lost.

    Raises:
        StorageFull: nothing is kept.
    """
    rows = [_row(owner, candidate, priority, find) for candidate in candidates]
    names = [row.original for row in rows]
    try:
        for row, candidate in zip(rows, candidates, strict=True):
            storing.write(row.original, candidate.data)
    except BaseException:
        storing.remove(names)
        raise
    try:
        yield rows
    except BaseException as error:
        if isinstance(error, Exception) and not isinstance(error, DatabaseFailure):
            storing.remove(names)  # raised before the COMMIT, so there was none
        else:
            doubts.settle(rows)
        raise


def put_in(
    *, owner: User, rows: Sequence[Upload], finishing: ResumableUpload | None = None
) -> None:
    """Stores and queues rows of :func:`written`, all or none. ``finishing`` is the upload in parts
    that became the file.

    Raises:
        QuotaExceeded: as :func:`accept`.
    """
    with transaction.atomic():
        quotas.hold(owner)
        wanted = sum(row.bytes for row in rows)
        quotas.check(owner, pictures=len(rows), wanted=wanted, finishing=finishing)
        for row in rows:
            # A picture waits from here on: writing its file was the request's own time.
            row.created_at = row.available_at = row.notified_at = timezone.now()
            jobs.enqueue(row)


def _row(owner: User, candidate: Candidate, priority: int, find: str) -> Upload:
    upload_id = uuid.uuid4()
    row = Upload(
        id=upload_id,
        owner=owner,
        name=candidate.name,
        media_type=candidate.media_type,
        bytes=len(candidate.data),
        sha256=candidate.sha256,
        original=str(folder_of(upload_id) / "original"),
        priority=priority,
        find=find,
    )
    row.progress_total = len(row.steps)
    return row


def fingerprint(
    names_and_contents: Iterable[tuple[str, bytes]], *, find: str, priority: int
) -> str:
    """Tells one request's files, and what is asked of them, from another's."""
    digest = hashlib.sha256(f"{find} {priority}".encode())
    for name, content in names_and_contents:
        digest.update(len(name).to_bytes(4, "big") + name.encode("utf-8", "replace"))
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def check_key(key: str) -> str:
    """Returns the Idempotency-Key, or raises InvalidInput when it is not one."""
    if not 1 <= len(key) <= MAX_KEY_CHARS or not key.isprintable() or not key.isascii():
        raise InvalidInput(
            f"'Idempotency-Key' must be 1 to {MAX_KEY_CHARS} printable ASCII characters.",
            field="Idempotency-Key",
            limit=MAX_KEY_CHARS,
        )
    return key


def remembered(*, owner: User, key: str, mark: str) -> IdempotentRequest | None:
    """The stored answer to the same request, if it was made before.

    Raises:
        IdempotencyKeyReused: the key was used for other files, or asked for something else.
    """
    found = IdempotentRequest._default_manager.filter(owner=owner, key=key).first()
    if found is not None and found.fingerprint != mark:
        raise IdempotencyKeyReused(
            "This Idempotency-Key was used for another request; take a new one.",
            field="Idempotency-Key",
        )
    return found


def remember(*, owner: User, key: str, mark: str, status: int, body: Any) -> None:
    """Stores the answer of a request; to be called in the transaction that carries it out. Waits
    for another transaction that carries out a request with this key.

    Raises:
        Conflict: that one has been carried out meanwhile.
    """
    try:
        with transaction.atomic():
            IdempotentRequest._default_manager.create(
                owner=owner, key=key, fingerprint=mark, status=status, body=body
            )
    except IntegrityError:
        raise Conflict(
            "A request with this Idempotency-Key was carried out just now; ask again shortly.",
            field="Idempotency-Key",
            retry_after_s=1,
        ) from None


def owned(owner: User) -> QuerySet[Upload]:
    """The person's own uploads; nobody else's can be reached through it."""
    return Upload._default_manager.filter(owner=owner)


def get(*, owner: User, upload_id: uuid.UUID) -> Upload:
    """One of the person's uploads.

    Raises:
        NotFound: there is none of that id, or it is another person's.
    """
    row = owned(owner).filter(pk=upload_id).first()
    if row is None:
        raise NotFound("You have no upload of this id.", field="id")
    return row


def retry(*, owner: User, upload_id: uuid.UUID) -> Upload:
    """Queues an upload again that failed, is dead, or was done without some of its steps; those
    steps alone are then done.

    Raises:
        NotFound: as :func:`get`.
        Conflict: it is under way, or nothing is missing.
    """
    row = get(owner=owner, upload_id=upload_id)
    if not jobs.retry(row, even_done=bool(row.notes)):
        raise Conflict(
            "Only an upload that failed, or was done with notes, can be retried; "
            f"this one is {row.state}."
        )
    row.refresh_from_db()
    return row


def delete(*, owner: User, upload_id: uuid.UUID) -> None:
    """Deletes a row at once and its files when that is committed; a worker that holds it can
    write nothing more.

    Raises:
        NotFound: as :func:`get`.
    """
    with transaction.atomic():
        row = get(owner=owner, upload_id=upload_id)
        # A worker, also one that died, may have stored files whose names the row does not tell.
        derived = [str(folder_of(row.pk) / name) for name in ("picture", "thumbnail")]
        names = {row.original, row.picture, row.thumbnail, *derived}
        row.delete()
        transaction.on_commit(lambda: bells.ring(bells.CHANGED))
        transaction.on_commit(lambda: storing.remove(names), robust=True)
