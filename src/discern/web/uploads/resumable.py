"""Uploads in parts: the tus resumable upload protocol 1.0.0, core with the creation, termination
and expiration extensions (https://tus.io/protocols/resumable-upload)."""

from __future__ import annotations

import base64
import binascii
import uuid
from contextlib import ExitStack
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from discern.errors import InvalidInput, NotFound, TooLarge
from discern.vision.contract import MAX_IMAGE_BYTES
from discern.web.accounts.models import User
from discern.web.uploads import quotas, services
from discern.web.uploads.errors import OffsetMismatch
from discern.web.uploads.models import Part, ResumableUpload, Upload

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,termination,expiration"
PART_MEDIA_TYPE: Final = "application/offset+octet-stream"
MAX_PART_BYTES: Final = MAX_IMAGE_BYTES
MAX_DIGITS: Final = 20
"""Of a length or an offset; Python itself refuses to read a number of some thousands."""


def create(*, owner: User, length: str, metadata: str) -> ResumableUpload:
    """Begins an upload of ``length`` bytes.

    Raises:
        InvalidInput: the length or the metadata cannot be read, or its ``find`` or
            ``priority`` is not as :mod:`discern.web.uploads.services` wants it.
        TooLarge: longer than a picture may be.
        QuotaExceeded: too many unfinished uploads, or no room for this one.
    """
    if not _is_whole(length) or int(length) < 1:
        raise InvalidInput("'Upload-Length' must be the file's bytes.", field="Upload-Length")
    if int(length) > MAX_IMAGE_BYTES:
        raise TooLarge(
            f"The file has {int(length):,} bytes; the limit is {MAX_IMAGE_BYTES:,}.",
            field="Upload-Length",
            limit=MAX_IMAGE_BYTES,
        )
    told = parse_metadata(metadata)
    find = services.check_find(told.get("find"))
    priority = services.check_priority(told.get("priority"))
    with transaction.atomic():
        quotas.hold(owner)
        quotas.check_open(owner)
        quotas.check(owner, pictures=1, wanted=int(length))
        return ResumableUpload._default_manager.create(
            owner=owner,
            name=services.clean_name(told.get("filename", "")),
            find=find,
            priority=priority,
            length=int(length),
            expires_at=timezone.now() + timedelta(hours=settings.UPLOAD_RESUMABLE_HOURS),
        )


def get(*, owner: User, resumable_id: uuid.UUID) -> ResumableUpload:
    """One of the person's own; NotFound when it is another's, expired or unknown."""
    found = ResumableUpload._default_manager.filter(
        pk=resumable_id, owner=owner, expires_at__gt=timezone.now()
    ).first()
    if found is None:
        raise NotFound("You have no resumable upload of this id, or it has expired.", field="id")
    return found


def append(*, owner: User, resumable_id: uuid.UUID, offset: str, data: bytes) -> ResumableUpload:
    """Stores a part; with the last one the file becomes an upload, in the same transaction.

    Raises:
        NotFound: as :func:`get`.
        OffsetMismatch: the part does not begin where the stored bytes end.
        TooLarge: it goes past the length that was announced.
        UnsupportedMedia, CorruptMedia, QuotaExceeded: the whole file is not acceptable; what was
            stored of it is deleted.
    """
    try:
        # The files are left last: they stay only if what was stored beside them was committed.
        with ExitStack() as files, transaction.atomic(durable=True):
            row = _locked(owner, resumable_id)
            _check_part(row, offset, data)
            if data:
                Part._default_manager.create(resumable=row, offset=row.offset, data=data)
                row.offset += len(data)
            if row.offset == row.length and row.upload_id is None:
                row.upload = _finish(owner, row, files)
            row.save(update_fields=["offset", "upload"])
            return row
    except (OffsetMismatch, NotFound):
        raise
    except InvalidInput as error:
        if not isinstance(error, TooLarge) or error.field != "body":
            terminate(owner=owner, resumable_id=resumable_id)
        raise


def terminate(*, owner: User, resumable_id: uuid.UUID) -> None:
    """Forgets an upload and its parts; a picture it has become stays."""
    get(owner=owner, resumable_id=resumable_id).delete()


def expire() -> int:
    """Deletes what was not finished in time; returns how many."""
    expired = ResumableUpload._default_manager.filter(expires_at__lte=timezone.now())
    return expired.delete()[0]


def parse_metadata(header: str) -> dict[str, str]:
    """``Upload-Metadata``: pairs of a key and its value in base64, separated by commas.

    Raises:
        InvalidInput: it is not that.
    """
    pairs: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in header.split(","))):
        key, _, value = item.partition(" ")
        try:
            pairs[key] = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            raise InvalidInput(
                f"'Upload-Metadata': the value of '{key[:50]}' is not UTF-8 text in base64.",
                field="Upload-Metadata",
            ) from None
    return pairs


def _locked(owner: User, resumable_id: uuid.UUID) -> ResumableUpload:
    # SQLite has no row locks and needs none: its transactions begin as writers here.
    rows = ResumableUpload._default_manager.select_for_update()
    found = rows.filter(pk=resumable_id, owner=owner, expires_at__gt=timezone.now()).first()
    if found is None:
        raise NotFound("You have no resumable upload of this id, or it has expired.", field="id")
    return found


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS


def _check_part(row: ResumableUpload, offset: str, data: bytes) -> None:
    if not _is_whole(offset):
        raise OffsetMismatch("'Upload-Offset' must be a whole number.", field="Upload-Offset")
    if int(offset) != row.offset:
        raise OffsetMismatch(
            f"'Upload-Offset' is {offset}, but {row.offset} bytes are stored.",
            field="Upload-Offset",
            limit=row.offset,
        )
    if row.offset + len(data) > row.length:
        raise TooLarge(
            f"This part ends after byte {row.length:,}, the length that was announced.",
            field="body",
            limit=row.length,
        )


def _finish(owner: User, row: ResumableUpload, files: ExitStack) -> Upload:
    parts = row.parts.order_by("offset").values_list("data", flat=True)
    data = b"".join(bytes(part) for part in parts)
    candidate = services.look_at(row.name, data)
    uploads = files.enter_context(
        services.written(owner=owner, candidates=[candidate], priority=row.priority, find=row.find)
    )
    services.put_in(owner=owner, rows=uploads, finishing=row)
    row.parts.all().delete()
    return uploads[0]
