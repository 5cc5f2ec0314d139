"""Tables of recorded analyses, and of files of texts with their results."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from discern.web.jobs.models import Job


class Analysis(models.Model):
    """One text and its mood, recorded because the caller asked for it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="analyses"
    )
    text = models.TextField()
    label = models.CharField(max_length=100)
    score = models.FloatField()
    scores = models.JSONField()
    windows = models.PositiveIntegerField()
    model_name = models.CharField(max_length=200)
    model_version = models.CharField(max_length=100)
    created_at = models.DateTimeField(default=timezone.now)
    right_label = models.CharField(max_length=100, blank=True, default="")
    feedback_comment = models.TextField(blank=True, default="")
    feedback_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["owner", "-created_at", "-id"], name="analysis_by_owner")]

    def __str__(self) -> str:
        return f"{self.label} {self.score:.2f} ({self.pk})"


class TextJob(Job):
    """A file of texts. ``labels`` are the model's, in its order; ``counts`` says how many rows
    got each, ``errors`` how many rows were refused for which reason."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="text_jobs"
    )
    name = models.CharField(max_length=255)
    format = models.CharField(max_length=10)
    column = models.TextField()
    has_header = models.BooleanField(default=True)
    labels = models.JSONField(default=list)
    counts = models.JSONField(default=dict)
    errors = models.JSONField(default=dict)
    model_name = models.CharField(max_length=200, blank=True, default="")
    model_version = models.CharField(max_length=100, blank=True, default="")

    class Meta(Job.Meta):
        abstract = False
        indexes = [
            *Job.Meta.indexes,
            models.Index(fields=["owner", "-created_at", "-id"], name="text_job_by_owner"),
        ]


class TextJobSource(models.Model):
    """The file as it came, compressed; apart from the job so that lists stay light."""

    job = models.OneToOneField(
        TextJob, on_delete=models.CASCADE, primary_key=True, related_name="source"
    )
    content = models.BinaryField()

    def __str__(self) -> str:
        return f"source of {self.job_id}"


class TextJobChunk(models.Model):
    """The results of :data:`~discern.web.text.files.CHUNK_ROWS` rows, compressed. A chunk is stored
    with the job's progress in one transaction, so what is stored never has to be done again."""

    job = models.ForeignKey(TextJob, on_delete=models.CASCADE, related_name="chunks")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="one_chunk_of_each_number")
        ]

    def __str__(self) -> str:
        return f"chunk {self.number} of {self.job_id}"
