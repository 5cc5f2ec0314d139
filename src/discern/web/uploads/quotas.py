"""How many pictures and bytes a person may have here, also when several requests come at once."""

from __future__ import annotations

import uuid
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.models import F, QuerySet
from django.utils import timezone

from discern.web.accounts.models import User
from discern.web.uploads.errors import QuotaExceeded
from discern.web.uploads.models import ResumableUpload, Upload

MAX_OPEN: Final = 20
"""The most unfinished uploads a person may have."""


def hold(owner: User) -> None:
    """Makes other requests of this person wait until the transaction under way ends, so that what
    is counted stays true until it is used."""
    # SQLite has no row locks and needs none: its transactions begin as writers here.
    if not connection.features.has_select_for_update:
        return
    # Not the key's lock, which would also stop every insertion that refers to the person.
    list(User._default_manager.select_for_update(no_key=True).filter(pk=owner.pk).values("pk"))


def check(
    owner: User, *, pictures: int, wanted: int, finishing: ResumableUpload | None = None
) -> None:
    """To be called in a transaction, after :func:`hold`. Unfinished uploads count with the bytes
    they announced; ``finishing`` is the one that these bytes complete.

    Raises:
        QuotaExceeded: with ``wanted`` more bytes in ``pictures`` more pictures, the person would
            have more of either than allowed.
    """
    count, held, announced = _used(owner, finishing)
    most = settings.UPLOAD_QUOTA_PICTURES
    if count + pictures > most:
        raise QuotaExceeded(
            f"You have {count:,} pictures; the limit is {most:,}. Delete some first.",
            field="files",
            limit=most,
        )
    left = settings.UPLOAD_QUOTA_BYTES - held - announced
    if wanted > left:
        raise QuotaExceeded(
            f"These pictures have {wanted:,} bytes; of your {settings.UPLOAD_QUOTA_BYTES:,} bytes "
            f"{max(0, left):,} are left. Delete some first.",
            field="files",
            limit=settings.UPLOAD_QUOTA_BYTES,
        )


def _used(owner: User, finishing: ResumableUpload | None) -> tuple[int, int, int]:
    """Pictures, their bytes, and the bytes announced by other unfinished uploads than one."""
    # Asked for every upload, and written out: to compose it by the ORM was a quarter of a request.
    pictures, parts = Upload._meta, ResumableUpload._meta
    person = pictures.get_field("owner").get_db_prep_value(owner.pk, connection)
    own = finishing.pk if finishing is not None else uuid.UUID(int=0)
    with connection.cursor() as cursor:
        cursor.execute(
            _USED.format(*map(connection.ops.quote_name, (pictures.db_table, parts.db_table))),
            [
                person,
                connection.ops.adapt_datetimefield_value(timezone.now()),
                parts.get_field("id").get_db_prep_value(own, connection),
                person,
            ],
        )
        count, held, announced = map(int, cursor.fetchone())
    return count, held, announced


_USED: Final = (
    "SELECT COUNT(*), COALESCE(SUM(bytes), 0), (SELECT COALESCE(SUM(length), 0) FROM {1}"
    ' WHERE owner_id = %s AND "offset" < length AND expires_at > %s AND id <> %s)'
    " FROM {0} WHERE owner_id = %s"
)


def check_open(owner: User) -> None:
    """To be called as :func:`check`.

    Raises:
        QuotaExceeded: the person has as many unfinished uploads as allowed.
    """
    if unfinished(owner).count() >= MAX_OPEN:
        raise QuotaExceeded(
            f"You have {MAX_OPEN} unfinished uploads; finish or delete one first.",
            field="Upload-Length",
            limit=MAX_OPEN,
        )


def unfinished(owner: User) -> QuerySet[ResumableUpload]:
    """Uploads in parts that are neither complete nor expired."""
    # Not by the missing upload: that of a finished one may have been deleted.
    return ResumableUpload._default_manager.filter(
        owner=owner, offset__lt=F("length"), expires_at__gt=timezone.now()
    )
