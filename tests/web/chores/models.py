"""One kind of job with one column of its own."""

from __future__ import annotations

from django.db import models

from discern.web.jobs.models import Job


class Chore(Job):
    """``result`` is set when it is done."""

    result = models.CharField(max_length=100, blank=True, default="")
