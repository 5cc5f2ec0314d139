"""Reads forms with files, and the raw parts of resumable uploads, within stated limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, Final

from rest_framework.parsers import BaseParser, DataAndFiles, MultiPartParser

from discern.errors import TooLarge
from discern.vision.contract import MAX_IMAGE_BYTES
from discern.web.api.errors import LengthRequired
from discern.web.api.parsing import read_body
from discern.web.uploads.errors import StorageFull
from discern.web.uploads.resumable import MAX_PART_BYTES, PART_MEDIA_TYPE
from discern.web.uploads.services import MAX_FILES
from discern.web.uploads.storing import FULL

MAX_FORM_BYTES: Final = 5 * MAX_IMAGE_BYTES
"""The largest form, in bytes: five pictures of the largest size, or more smaller ones."""


class PicturesParser(MultiPartParser):
    """``multipart/form-data``, refused by its announced length before any of it is read."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> DataAndFiles[Any, Any]:
        meta = (parser_context or {})["request"].META
        declared = str(meta.get("CONTENT_LENGTH") or "")
        if not declared.isdigit():
            raise LengthRequired("Send the form with a Content-Length, not in chunks.")
        if int(declared) > MAX_FORM_BYTES:
            raise TooLarge(
                f"The form has {int(declared):,} bytes; the limit is {MAX_FORM_BYTES:,} for up "
                f"to {MAX_FILES} files.",
                field="files",
                limit=MAX_FORM_BYTES,
            )
        try:
            return super().parse(stream, media_type, parser_context)
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise StorageFull(
                "There is no room left for the files of this form; nothing of it was kept.",
                retry_after_s=60,
            ) from error


class PartParser(BaseParser):
    """The raw bytes of one part."""

    media_type = PART_MEDIA_TYPE

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        meta = (parser_context or {})["request"].META
        return read_body(stream, headers=meta, limit=MAX_PART_BYTES)
