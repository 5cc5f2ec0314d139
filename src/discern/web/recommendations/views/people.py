"""What people did, what they are suggested, and forgetting them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from discern.errors import InvalidInput
from discern.recommendations.contract import Interaction
from discern.recommendations.files import PERSON_NAMES, parse_interaction
from discern.recommendations.keys import MAX_KEY_CHARS
from discern.web.api.paging import NewestFirst
from discern.web.api.parsing import json_object
from discern.web.api.views import ApiView
from discern.web.recommendations import lists, serializers
from discern.web.recommendations.access import check_may_name, is_operator, own_person, person_of
from discern.web.recommendations.columns import stored
from discern.web.recommendations.interactions import interactions_of, record, withdraw
from discern.web.recommendations.parameters import (
    FILTERS,
    LENGTH,
    PAGE,
    PERSON,
    filters_of,
    flag_of,
    id_of,
    length_of,
    number_of,
    rows_of,
)
from discern.web.recommendations.people import forget


class InteractionsView(ApiView):
    """What people did."""

    @extend_schema(
        operation_id="listInteractions",
        tags=["recommendations"],
        parameters=[
            PERSON,
            OpenApiParameter("content", str, description="Only those with this content."),
            *PAGE,
        ],
        responses=serializers.InteractionPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """A person's interactions, newest first."""
        found = interactions_of(person=person_of(request))
        if (content := request.query_params.get("content")) is not None:
            found = found.filter(content__external_id=stored(content))
        pages = NewestFirst()
        page = pages.paginate_queryset(found, request, view=self) or []
        rows = serializers.InteractionRowSerializer(page, many=True).data
        return pages.get_paginated_response(rows)

    @extend_schema(
        operation_id="recordInteractions",
        tags=["recommendations"],
        request=serializers.InteractionBatchSerializer,
        responses=serializers.TakenSerializer,
    )
    def post(self, request: Request) -> Response:
        """Record what people did; the next list already follows from it. Duplicates, unknown
        contents and events that are late or out of order are counted, not errors."""
        data = json_object(request)
        rows = rows_of(data, "interactions")
        _check_keys(rows)
        taken = record(
            interactions=_events(request, rows),
            impression=id_of(data.get("impression"), field="impression"),
        )
        return Response(asdict(taken))

    @extend_schema(
        operation_id="withdrawVerdict",
        tags=["recommendations"],
        parameters=[PERSON, OpenApiParameter("content", str, required=True)],
        responses={200: serializers.WithdrawnSerializer},
    )
    def delete(self, request: Request) -> Response:
        """Take likes and dislikes of a content back; the next list already follows from it. That
        it was read stays. Doing so twice is no error."""
        content = request.query_params.get("content")
        if not content:
            raise InvalidInput("'content' is missing.", field="content")
        count = withdraw(person=person_of(request), content=content)
        return Response({"interactions": count})


class RecommendationsView(ApiView):
    """Lists."""

    @extend_schema(
        operation_id="recommend",
        tags=["recommendations"],
        parameters=[
            PERSON,
            LENGTH,
            *FILTERS,
            OpenApiParameter("diversity", float, description="0 (likeliest) to 1 (most varied)."),
            OpenApiParameter("exploration", float, description="Share kept for new contents."),
            OpenApiParameter("experiment", str, description="Compare rankers under this name."),
            OpenApiParameter(
                "explain", bool, description="Give every line its reason (true if left out)."
            ),
        ],
        responses=serializers.RecommendationListSerializer,
    )
    def get(self, request: Request) -> Response:
        """What the person would like next, and why. Somebody unknown gets the popular."""
        explain = flag_of(request, "explain", default=True)
        shown = lists.recommend(
            person=person_of(request),
            n=length_of(request),
            filters=filters_of(request),
            diversity=number_of(request, "diversity", 0.0),
            exploration=number_of(request, "exploration", 0.1),
            experiment=request.query_params.get("experiment", ""),
        )
        return Response(serializers.list_data(shown, explain=explain))


class PersonView(ApiView):
    """Everything known of one person."""

    @extend_schema(
        operation_id="erasePerson",
        tags=["recommendations"],
        responses={200: serializers.ErasedSerializer},
    )
    def delete(self, request: Request, person_id: str) -> Response:
        """Forget a person: their interactions, lists, and their part of what was learned."""
        check_may_name(request, person_id)
        count = forget(external_id=person_id.strip())
        return Response({"interactions": count})


def _check_keys(rows: list[dict[str, Any]]) -> None:
    keys = [row.get("key") for row in rows]
    if all(key is None for key in keys):
        return
    if not all(
        isinstance(key, str) and 0 < len(key) <= MAX_KEY_CHARS and "\x00" not in key for key in keys
    ):
        raise InvalidInput(
            "Give every interaction a 'key' of 1 to 64 characters, or none.", field="interactions"
        )


def _events(request: Request, rows: list[dict[str, Any]]) -> list[Interaction]:
    operator = is_operator(request)
    # A service has no tastes of its own; anyone else who names nobody means themselves.
    me = None if operator and request.auth is not None else own_person(request).external_id
    now = timezone.now().timestamp()
    return [_event(row, place, now, me, operator) for place, row in enumerate(rows)]


def _event(
    row: Mapping[str, Any], place: int, now: float, me: str | None, operator: bool
) -> Interaction:
    fields = dict(row)
    named = [fields[name] for name in PERSON_NAMES if fields.get(name) is not None]
    if not operator and any(str(name).strip() != me for name in named):
        raise PermissionDenied("You may only speak for yourself; leave 'person' out.")
    if not named and me is not None:
        fields["person"] = me
    if fields.get("created_at") is None:
        fields["created_at"] = now
    fields.setdefault("view_time", 0)
    return parse_interaction(fields, where=f"interactions[{place}]")
