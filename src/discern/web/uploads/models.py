"""Tables of uploads: a row for each picture, uploads in parts, and requests not to repeat."""

from __future__ import annotations

import uuid
from pathlib import PurePosixPath
from typing import Final

from django.conf import settings
from django.db import models
from django.utils import timezone

from discern.web.jobs.models import INTERACTIVE, Job

MAX_NAME_CHARS: Final = 255

STEPS: Final = ("cleaned", "objects", "text", "mood")
"""Everything that can be done with a picture, in order."""

FINDS: Final = {"objects": ("objects",), "text": ("text", "mood")}
"""What can be asked for, and the steps it takes."""


def folder_of(upload_id: uuid.UUID) -> PurePosixPath:
    """Where an upload's files lie in the storage. No part of it comes from the client."""
    return PurePosixPath("pictures", upload_id.hex[:2], upload_id.hex)


def folded(label: str) -> str:
    """A label as it is stored to filter by, so that databases need not agree on what letters are
    the same: SQLite knows only those of ASCII."""
    return label.casefold()


class Upload(Job):
    """One picture and what was found in it.

    ``original`` is the file as sent; it is deleted once ``picture``, the same pixels without any
    metadata, has been stored. ``find`` names what was asked for, of :data:`FINDS`, separated by
    commas. ``notes`` says why a step was left out, by the step's name.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads"
    )
    name = models.CharField(max_length=MAX_NAME_CHARS)
    media_type = models.CharField(max_length=40)
    bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    find = models.CharField(max_length=40, default=",".join(FINDS))
    original = models.CharField(max_length=200, blank=True, default="")
    picture = models.CharField(max_length=200, blank=True, default="")
    thumbnail = models.CharField(max_length=200, blank=True, default="")
    picture_media_type = models.CharField(max_length=40, blank=True, default="")
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    objects_found = models.JSONField(null=True, blank=True)
    labels = models.TextField(blank=True, default="", help_text="|dog|person|, to filter by")
    text_found = models.JSONField(null=True, blank=True)
    mood = models.JSONField(null=True, blank=True)
    notes = models.JSONField(default=dict, blank=True)

    class Meta(Job.Meta):
        abstract = False
        indexes = [
            *Job.Meta.indexes,
            models.Index(fields=["owner", "-created_at"], name="upload_by_owner"),
        ]

    @property
    def finds(self) -> tuple[str, ...]:
        """What was asked for, in the order of :data:`FINDS`."""
        return tuple(name for name in FINDS if name in self.find.split(","))

    @property
    def steps(self) -> tuple[str, ...]:
        """What is done with this picture, in order; ``progress_done`` counts them."""
        asked = {step for name in self.finds for step in FINDS[name]}
        return tuple(step for step in STEPS if step in asked or step == STEPS[0])


class ResumableUpload(models.Model):
    """A file that arrives in parts, by the tus protocol; it becomes an :class:`Upload` when its
    last byte has been stored."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="resumable_uploads"
    )
    name = models.CharField(max_length=MAX_NAME_CHARS)
    find = models.CharField(max_length=40, default=",".join(FINDS))
    priority = models.SmallIntegerField(default=INTERACTIVE)
    length = models.PositiveBigIntegerField()
    offset = models.PositiveBigIntegerField(default=0)
    upload = models.ForeignKey(Upload, on_delete=models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.offset} of {self.length} bytes"


class Part(models.Model):
    """Bytes of a :class:`ResumableUpload`, from ``offset`` on.

    In the database rather than in a folder: any web process on any machine can take the next
    part, and a part and the offset it leads to are one transaction.
    """

    resumable = models.ForeignKey(ResumableUpload, on_delete=models.CASCADE, related_name="parts")
    offset = models.PositiveBigIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["resumable", "offset"], name="part_once_at_offset")
        ]

    def __str__(self) -> str:
        return f"{self.resumable_id} from {self.offset}"


class Round(models.Model):
    """Something that one process does now and then: whoever moves ``due_at`` on does it."""

    name = models.CharField(max_length=40, primary_key=True)
    due_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}, due at {self.due_at}"


class IdempotentRequest(models.Model):
    """The answer to a request that named an Idempotency-Key, so that sending it again, after an
    answer that never arrived, gives the same answer and does nothing twice."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "key"], name="idempotent_request_once")
        ]

    def __str__(self) -> str:
        return f"{self.key} of {self.owner_id}"
