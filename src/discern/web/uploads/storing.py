"""Where files of uploads lie: any Django storage, written so that what was accepted survives."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable
from typing import IO, Any, Final, cast

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages

from discern.web.uploads.errors import StorageFull

STORAGE_ALIAS: Final = "uploads"
FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class DurableFileSystemStorage(FileSystemStorage):
    """A folder whose files are on the disk, and not only in its cache, when ``save`` returns, and
    under the name that was asked for: two workers that were given one picture, the first being
    thought dead, would otherwise leave a file under a name that nobody knows. A file takes another
    one's place as a whole: that first worker may be stopped, or find the disk full, halfway."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options, allow_overwrite=True)  # type: ignore[misc]

    def _save(self, name: str, content: Any) -> str:
        draft = f"{name}.{secrets.token_hex(4)}"
        try:
            path = self.path(cast(str, super()._save(draft, content)))  # type: ignore[misc]
            _sync(path)
            os.replace(path, self.path(name))  # noqa: PTH105 - a path of Django's, which is a str
        except BaseException:
            self.delete(draft)
            raise
        _sync(os.path.dirname(path))  # noqa: PTH120 - likewise
        return name


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def storage() -> Storage:
    """The storage that the settings choose for uploads."""
    return storages[STORAGE_ALIAS]


def write(name: str, data: bytes) -> str:
    """Stores ``data`` under ``name``, replacing what is there, and returns the name.

    Raises:
        StorageFull: no room is left; nothing of the file stays, and what was there does.
    """
    place = storage()
    try:
        return place.save(name, ContentFile(data))
    except OSError as error:
        if error.errno in FULL:
            raise StorageFull(
                "There is no room left to store files. Nothing of this request was kept.",
                retry_after_s=60,
            ) from error
        raise


def open_file(name: str) -> IO[bytes]:
    """Opens a stored file for reading; FileNotFoundError if it is gone."""
    return cast(IO[bytes], storage().open(name, "rb"))


def read(name: str) -> bytes:
    """A stored file's content; FileNotFoundError if it is gone."""
    with open_file(name) as stream:
        return stream.read()


def remove(names: Iterable[str]) -> None:
    """Deletes stored files; empty names and missing files do not matter."""
    place = storage()
    for name in names:
        if name:
            with contextlib.suppress(FileNotFoundError):
                place.delete(name)
