"""Tables of contents, people, what they did, what they were shown, and files taken in."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from discern.recommendations.contract import MAX_ID_CHARS
from discern.web.jobs.models import Job


class Person(models.Model):
    """Someone of the host application, under its own id; ``account`` if they sign in here. The
    one table to find everything about a human by."""

    external_id = models.CharField(max_length=MAX_ID_CHARS, unique=True)
    account = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="reader",
    )
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.external_id


class Content(models.Model):
    """Something that can be suggested, under the host application's id."""

    external_id = models.CharField(max_length=MAX_ID_CHARS, unique=True)
    title = models.CharField(max_length=500, blank=True, default="")
    text = models.TextField(blank=True, default="")
    category = models.CharField(max_length=200, blank=True, default="", db_index=True)
    tags = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    available = models.BooleanField(default=True)

    class Meta:
        indexes = [models.Index(fields=["-created_at", "-id"], name="content_newest")]

    def __str__(self) -> str:
        return self.title or self.external_id


class UserInteraction(models.Model):
    """What a person did with a content; ``view_time`` in seconds. ``key`` makes sending it twice
    harmless; see :mod:`discern.recommendations.keys`."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="interactions")
    content = models.ForeignKey(Content, on_delete=models.CASCADE, related_name="interactions")
    liked = models.BooleanField(default=False)
    disliked = models.BooleanField(default=False)
    view_time = models.FloatField(default=0.0)
    created_at = models.DateTimeField(default=timezone.now)
    key = models.CharField(max_length=64, unique=True)

    class Meta:
        indexes = [models.Index(fields=["person", "-created_at", "-id"], name="interaction_newest")]

    def __str__(self) -> str:
        return f"{self.person_id} {self.content_id}"


class Impression(models.Model):
    """One list that was shown, by which arm of which experiment, and what came of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="impressions")
    experiment = models.CharField(max_length=100, blank=True, default="")
    arm = models.CharField(max_length=100, blank=True, default="")
    contents = models.JSONField()
    model_name = models.CharField(max_length=200)
    model_version = models.CharField(max_length=100)
    created_at = models.DateTimeField(default=timezone.now)
    clicked_at = models.DateTimeField(null=True, blank=True)
    liked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["experiment", "arm", "created_at"], name="impression_by_arm"),
            models.Index(fields=["created_at"], name="impression_oldest"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class ArmTotal(models.Model):
    """What is left of an arm's impressions once they are too old to be kept: how many there were,
    and how many led to a click and to a like. Nobody is in it."""

    experiment = models.CharField(max_length=100, blank=True, default="")
    arm = models.CharField(max_length=100, blank=True, default="")
    shown = models.PositiveBigIntegerField(default=0)
    clicked = models.PositiveBigIntegerField(default=0)
    liked = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["experiment", "arm"], name="arm_total_once")]

    def __str__(self) -> str:
        return f"{self.experiment} {self.arm}"


class PrecomputedList(models.Model):
    """A list made ahead; it answers while the model server is away."""

    person = models.OneToOneField(
        Person, on_delete=models.CASCADE, primary_key=True, related_name="precomputed"
    )
    items = models.JSONField()
    model_name = models.CharField(max_length=200)
    model_version = models.CharField(max_length=100)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"list of {self.person_id}"


class ImportJob(Job):
    """A file of contents or interactions. ``counts`` says how many rows were added, replaced,
    known already or refused; ``problems`` shows the first refused ones."""

    class Kind(models.TextChoices):
        CONTENTS = "contents", "contents"
        INTERACTIONS = "interactions", "interactions"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="import_jobs"
    )
    kind = models.CharField(max_length=20, choices=Kind.choices)
    name = models.CharField(max_length=255)
    content = models.BinaryField()
    counts = models.JSONField(default=dict)
    problems = models.JSONField(default=list)

    class Meta(Job.Meta):
        abstract = False
        indexes = [
            *Job.Meta.indexes,
            models.Index(fields=["owner", "-created_at", "-id"], name="import_job_by_owner"),
        ]


class LearningJob(Job):
    """A fit, or lists made ahead. ``night`` is set for the schedule's own: one of each a night."""

    class Task(models.TextChoices):
        FIT = "fit", "fit"
        PRECOMPUTE = "precompute", "lists made ahead"

    task = models.CharField(max_length=20, choices=Task.choices)
    night = models.DateField(null=True, blank=True)
    tune_seconds = models.FloatField(default=60.0)
    stage = models.CharField(max_length=200, blank=True, default="")
    version = models.CharField(max_length=100, blank=True, default="")
    report = models.JSONField(default=dict)

    class Meta(Job.Meta):
        abstract = False
        indexes = [
            *Job.Meta.indexes,
            models.Index(fields=["task", "-created_at", "-id"], name="learning_newest"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["task", "night"], name="learning_once_a_night")
        ]
