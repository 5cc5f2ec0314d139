"""How a worker learns of a new row: it looks by itself, or Celery brings it a message."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import ClassVar, Protocol
from uuid import UUID

from django.conf import settings

from discern.web.jobs import bells

log = logging.getLogger(__name__)


class Carrier(Protocol):
    """A messenger. Losing a message delays a row until the sweeper reminds of it, no more.

    ``sends_messages`` is False when workers look for themselves, so that there is nothing to lose.
    """

    sends_messages: ClassVar[bool]

    def notify(self, kind: str, pk: UUID, *, priority: int, delay_s: float = 0.0) -> bool:
        """Says that the row may be claimed ``delay_s`` seconds from now. Never raises; False when
        the message could not be sent."""
        ...


class EmbeddedCarrier:
    """No messages: workers look into the database, and a bell tells those of this machine when."""

    sends_messages: ClassVar[bool] = False

    def notify(self, kind: str, pk: UUID, *, priority: int, delay_s: float = 0.0) -> bool:
        """Wakes the workers of this machine; those of others look every few hundredths of a
        second."""
        if delay_s <= 0:
            bells.ring(bells.QUEUED)
        return True


class CeleryCarrier:
    """A Celery task that carries a kind and an id."""

    sends_messages: ClassVar[bool] = True

    def notify(self, kind: str, pk: UUID, *, priority: int, delay_s: float = 0.0) -> bool:
        """Publishes the message; a broker that is away costs the row time, not the request."""
        from discern.web.jobs.celery import publish

        try:
            publish(kind, pk, priority=priority, delay_s=delay_s)
        except Exception as error:
            log.warning("No message for %s %s (%s); the sweeper will send it.", kind, pk, error)
            return False
        return True


@lru_cache(maxsize=1)
def carrier() -> Carrier:
    """The carrier that the settings choose."""
    return CeleryCarrier() if settings.BROKER_URL else EmbeddedCarrier()
