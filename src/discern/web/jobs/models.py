"""The columns that make a row a job. Each domain app has a table of its own made from them."""

from __future__ import annotations

import uuid
from typing import Final

from django.db import models
from django.utils import timezone

INTERACTIVE: Final = 0
"""Priority of work a person waits for; lower goes first."""

BATCH: Final = 10
"""Priority of work that may take its time."""


class State(models.TextChoices):
    """queued -> processing -> done | failed | dead, and back to queued for another try."""

    QUEUED = "queued", "waiting for a worker"
    PROCESSING = "processing", "a worker holds its lease"
    DONE = "done", "finished"
    FAILED = "failed", "will not succeed; the error says why"
    DEAD = "dead", "its worker died each time; set aside"


class Job(models.Model):
    """One piece of work.

    ``lease_token`` is new with every claim, and whoever writes on behalf of a claim names it: a
    worker that was paused past its lease can no longer change the row.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    priority = models.SmallIntegerField(default=INTERACTIVE)
    available_at = models.DateTimeField(default=timezone.now)
    notified_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    engine_losses = models.PositiveSmallIntegerField(default=0)
    lease_token = models.CharField(max_length=32, blank=True, default="")
    lease_owner = models.CharField(max_length=100, blank=True, default="")
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(null=True, blank=True)
    progress_per_second = models.FloatField(null=True, blank=True)
    error_code = models.CharField(max_length=50, blank=True, default="")
    error_message = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        indexes = [
            models.Index(
                fields=["state", "priority", "available_at"], name="%(app_label)s_%(class)s_queue"
            )
        ]

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.pk} ({self.state})"
