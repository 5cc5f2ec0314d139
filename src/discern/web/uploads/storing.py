"""Where files of uploads lie: any Django storage, written so that what was accepted survives."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final, cast

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages

from discern.web.uploads.errors import StorageAway, StorageFull

STORAGE_ALIAS: Final = "uploads"
RETRY_AFTER_S: Final = 5.0
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
        StorageAway: the bucket's service cannot be reached.
    """
    try:
        with _reached():
            return storage().save(name, ContentFile(data))
    except OSError as error:
        if error.errno in FULL:
            raise StorageFull(
                "There is no room left to store files. Nothing of this request was kept.",
                retry_after_s=60,
            ) from error
        raise


def open_file(name: str) -> IO[bytes]:
    """Opens a stored file for reading; FileNotFoundError if it is gone, StorageAway if the
    bucket's service cannot be reached."""
    with _reached():
        return cast(IO[bytes], storage().open(name, "rb"))


def read(name: str) -> bytes:
    """A stored file's content; raises as :func:`open_file`."""
    with _reached(), open_file(name) as stream:
        return stream.read()


def remove(names: Iterable[str]) -> None:
    """Deletes stored files; empty names and missing files do not matter. StorageAway if the
    bucket's service cannot be reached."""
    place = storage()
    for name in names:
        if name:
            with _reached(), contextlib.suppress(FileNotFoundError):
                place.delete(name)


@contextmanager
def _reached() -> Iterator[None]:
    """Tells a bucket's outage, which passes, from a failure that somebody is to blame for."""
    try:
        yield
    except Exception as error:
        if not _is_away(error):
            raise
        raise StorageAway(
            "The storage of files cannot be reached just now.", retry_after_s=RETRY_AFTER_S
        ) from error


def _is_away(error: Exception) -> bool:
    # Whoever uses no bucket has no botocore; what it raised, it has been imported for.
    botocore = sys.modules.get("botocore.exceptions")
    if botocore is None:
        return False
    if isinstance(error, botocore.ClientError):
        status = getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return bool(status >= 500)
    return isinstance(error, (botocore.ConnectionError, botocore.HTTPClientError))
