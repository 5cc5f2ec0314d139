"""Tables of people and their API keys."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A person or a service account. Ours from the first migration, so that it can grow."""
