"""Pages of lists: by opaque cursor for what grows at its end, by offset for numbered rows."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination, LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.views import APIView

from discern.errors import InvalidInput


class NewestFirst(CursorPagination):
    """Newest first; a cursor stays right while rows are added or deleted."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"
    ordering = ("-created_at", "-id")

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, ValidationError, ValueError, OverflowError):
            # It does not decode, or to no moment in time: somebody made it up.
            raise InvalidInput(
                "'cursor' is not one that this API gave out.", field="cursor"
            ) from None


class ByOffset(LimitOffsetPagination):
    """``limit`` rows from ``offset`` on, with the total ``count``."""

    default_limit = 50
    max_limit = 1_000

    def begin(self, request: Request, *, count: int) -> None:
        """Reads ``offset`` and ``limit`` where the rows do not come from a queryset."""
        self.request = request
        self.limit = self.get_limit(request)
        self.offset = self.get_offset(request)
        self.count = count
