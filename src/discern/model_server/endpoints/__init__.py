"""The route table: one module for each domain of endpoints, each with its own ``ENDPOINTS``."""

from __future__ import annotations

from typing import Final

from discern.model_server.door import Endpoint
from discern.model_server.endpoints import (
    health,
    models,
    open_inference,
    pictures,
    recommendations,
    repository,
    text,
    unknown,
)

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *text.ENDPOINTS,
    *open_inference.ENDPOINTS,
    *pictures.ENDPOINTS,
    *recommendations.ENDPOINTS,
    *health.ENDPOINTS,
    *models.ENDPOINTS,
    *repository.ENDPOINTS,
    *unknown.ENDPOINTS,
)
