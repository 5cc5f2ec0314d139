"""Contents, interactions, lists and imports over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.db.models import Count
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from discern.errors import InvalidInput
from discern.recommendations import contract
from discern.recommendations.contract import Filters
from discern.recommendations.files import parse_content, parse_interaction
from discern.web.accounts.authentication import caller
from discern.web.accounts.models import User
from discern.web.api.paging import NewestFirst
from discern.web.api.parsing import json_object
from discern.web.api.views import ApiView
from discern.web.recommendations import importing, lists, serializers, services
from discern.web.recommendations.models import (
    Content,
    Impression,
    Person,
    UserInteraction,
)

PAGE_PARAMETERS = [
    OpenApiParameter("cursor", str, description="From `next` or `previous`."),
    OpenApiParameter("page_size", {"type": "integer", "minimum": 1, "maximum": 200}),
]
_PERSON = OpenApiParameter(
    "person", str, description="Your own id of the person. In a session: leave it out, it is you."
)
_N = OpenApiParameter("n", {"type": "integer", "minimum": 1, "maximum": contract.MAX_LIST})
_FILTERS = [
    OpenApiParameter("category", str, many=True, description="Only these categories."),
    OpenApiParameter("tag", str, many=True, description="Only contents with one of these tags."),
    OpenApiParameter("exclude", str, many=True, description="Never these contents."),
    OpenApiParameter("seen", bool, description="Also what the person has met already."),
]
POPULARITY_POINTS = 200


class Operator(BasePermission):
    """A program with a key, or staff: who may write what everybody is suggested. A signed-in
    reader speaks only for themselves."""

    message = "This needs an API key or a staff account."

    def has_permission(self, request: Request, view: Any) -> bool:
        return is_operator(request)


class OperatorWrites(Operator):
    """Anyone signed in may read."""

    def has_permission(self, request: Request, view: Any) -> bool:
        signed_in = bool(request.user and request.user.is_authenticated)
        return signed_in and (request.method in ("GET", "HEAD", "OPTIONS") or is_operator(request))


def is_operator(request: Request) -> bool:
    """Whether the caller may act for any person."""
    user = request.user
    return isinstance(user, User) and (request.auth is not None or user.is_staff)


class ContentsView(ApiView):
    """What can be suggested."""

    permission_classes = (OperatorWrites,)

    @extend_schema(
        operation_id="listContents",
        tags=["recommendations"],
        parameters=[OpenApiParameter("category", str), *PAGE_PARAMETERS],
        responses=serializers.ContentPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """All contents, newest first."""
        found = Content.objects.all()
        if category := request.query_params.get("category"):
            found = found.filter(category=services.stored(category))
        pages = NewestFirst()
        page = pages.paginate_queryset(found, request, view=self) or []
        return pages.get_paginated_response(serializers.ContentSerializer(page, many=True).data)

    @extend_schema(
        operation_id="putContents",
        tags=["recommendations"],
        request=serializers.ContentBatchSerializer,
        responses=serializers.TakenSerializer,
    )
    def post(self, request: Request) -> Response:
        """Add contents, or replace those with the same id; all or none."""
        rows = _rows(json_object(request), "contents")
        contents = [parse_content(row, where=f"contents[{i}]") for i, row in enumerate(rows)]
        return Response(asdict(services.put_contents(contents=contents)))


class ContentView(ApiView):
    """One content."""

    permission_classes = (OperatorWrites,)

    @extend_schema(
        operation_id="getContent",
        tags=["recommendations"],
        responses=serializers.ContentSerializer,
    )
    def get(self, request: Request, content_id: str) -> Response:
        """One content."""
        return Response(serializers.ContentSerializer(services.content_named(content_id)).data)

    @extend_schema(operation_id="deleteContent", tags=["recommendations"], responses={204: None})
    def delete(self, request: Request, content_id: str) -> Response:
        """Delete a content and what was done with it."""
        services.delete_content(external_id=content_id)
        return Response(status=204)


class SimilarView(ApiView):
    """What goes with one content."""

    @extend_schema(
        operation_id="similarContents",
        tags=["recommendations"],
        parameters=[_N, *_FILTERS],
        responses=serializers.RecommendationListSerializer,
    )
    def get(self, request: Request, content_id: str) -> Response:
        """Contents the same people like, best first."""
        content = services.content_named(content_id)
        shown = lists.similar(content=content, n=_count(request), filters=_filters(request))
        return Response(_list(shown))


class InteractionsView(ApiView):
    """What people did."""

    @extend_schema(
        operation_id="listInteractions",
        tags=["recommendations"],
        parameters=[_PERSON, *PAGE_PARAMETERS],
        responses=serializers.InteractionPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """A person's interactions, newest first."""
        person = _person(request)
        found = services.interactions_of(person=person)
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
        contents and late events are counted, not errors."""
        data = json_object(request)
        rows = _rows(data, "interactions")
        keys = [row.get("key") for row in rows]
        if any(key is not None for key in keys) and not all(
            isinstance(key, str) and 0 < len(key) <= 64 and "\x00" not in key for key in keys
        ):
            raise InvalidInput(
                "Give every interaction a 'key' of 1 to 64 characters, or none.",
                field="interactions",
            )
        now = timezone.now().timestamp()
        events = [_event(request, row, i, now) for i, row in enumerate(rows)]
        taken = services.record(
            interactions=events,
            keys=[str(key) for key in keys] if all(keys) else None,
            impression=_uuid(data.get("impression")),
        )
        return Response(asdict(taken))


class RecommendationsView(ApiView):
    """Lists."""

    @extend_schema(
        operation_id="recommend",
        tags=["recommendations"],
        parameters=[
            _PERSON,
            _N,
            *_FILTERS,
            OpenApiParameter("diversity", float, description="0 (likeliest) to 1 (most varied)."),
            OpenApiParameter("exploration", float, description="Share kept for new contents."),
            OpenApiParameter("experiment", str, description="Compare rankers under this name."),
        ],
        responses=serializers.RecommendationListSerializer,
    )
    def get(self, request: Request) -> Response:
        """What the person would like next, and why. Somebody unknown gets the popular."""
        shown = lists.recommend(
            person=_person(request),
            n=_count(request),
            filters=_filters(request),
            diversity=_number(request, "diversity", 0.0),
            exploration=_number(request, "exploration", 0.1),
            experiment=request.query_params.get("experiment", ""),
        )
        return Response(_list(shown))


class PersonView(ApiView):
    """Everything known of one person."""

    permission_classes = (Operator,)

    @extend_schema(
        operation_id="erasePerson",
        tags=["recommendations"],
        responses=serializers.ErasedSerializer,
    )
    def delete(self, request: Request, person_id: str) -> Response:
        """Forget a person: their interactions, lists, and their part of what was learned."""
        count = services.forget(person=services.person_named(person_id))
        return Response({"interactions": count})


class MetricsView(ApiView):
    """How it is going."""

    @extend_schema(
        operation_id="recommendationMetrics",
        tags=["recommendations"],
        parameters=[OpenApiParameter("experiment", str)],
        responses=serializers.RecommendationMetricsSerializer,
    )
    def get(self, request: Request) -> Response:
        """Sizes, the popularity curve, and click and like rates of each arm."""
        week = timezone.now() - timedelta(days=7)
        shown: set[str] = set()
        recent = Impression.objects.filter(created_at__gte=week).values_list("contents", flat=True)
        for contents in recent[:20_000]:
            shown.update(contents)
        met = (
            UserInteraction.objects.values("content")
            .annotate(people=Count("person", distinct=True))
            .order_by("-people")
            .values_list("people", flat=True)[:POPULARITY_POINTS]
        )
        experiment = services.stored(request.query_params.get("experiment", ""))
        return Response(
            {
                "people": Person.objects.count(),
                "contents": Content.objects.count(),
                "interactions": UserInteraction.objects.count(),
                "likes": UserInteraction.objects.filter(liked=True).count(),
                "shown_contents": len(shown),
                "popularity": list(met),
                "arms": lists.compare_arms(experiment=experiment),
            }
        )


class ImportsView(ApiView):
    """Files of contents and interactions."""

    parser_classes = (MultiPartParser,)
    permission_classes = (Operator,)

    @extend_schema(
        operation_id="createImport",
        tags=["recommendations"],
        request={"multipart/form-data": serializers.ImportFormSerializer},
        responses={202: serializers.ImportJobSerializer},
    )
    def post(self, request: Request) -> Response:
        """Send a file; it is taken in in the background, and sending it twice is harmless."""
        form = request.data if isinstance(request.data, dict) else {}
        file = form.get("file")
        if not isinstance(file, UploadedFile):
            raise InvalidInput("The form needs a 'file'.", field="file")
        kind = str(form.get("kind", ""))
        job = importing.accept(
            owner=caller(request), kind=kind, content=file.read(), name=file.name or ""
        )
        return Response(serializers.ImportJobSerializer(job).data, status=202)

    @extend_schema(
        operation_id="listImports",
        tags=["recommendations"],
        parameters=PAGE_PARAMETERS,
        responses=serializers.ImportJobPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """Your imports, newest first."""
        pages = NewestFirst()
        found = importing.jobs_of(owner=caller(request))
        page = pages.paginate_queryset(found, request, view=self) or []
        return pages.get_paginated_response(serializers.ImportJobSerializer(page, many=True).data)


class ImportView(ApiView):
    """One import."""

    @extend_schema(
        operation_id="getImport",
        tags=["recommendations"],
        responses=serializers.ImportJobSerializer,
    )
    def get(self, request: Request, job_id: UUID) -> Response:
        """State, progress, and what became of the rows."""
        job = importing.job_of(owner=caller(request), job_id=job_id)
        return Response(serializers.ImportJobSerializer(job).data)


def _person(request: Request) -> Person:
    """Whom the request is about: the one named or, in a session, the caller."""
    named = request.query_params.get("person")
    if named is None:
        if request.auth is not None:
            raise InvalidInput("'person' is missing.", field="person")
        return services.person_of_account(account=caller(request))
    _check_may_name(request)
    name = contract.check_id(named, field="person")
    # Made at the first list already: what was shown to somebody is known of them.
    return Person.objects.get_or_create(external_id=name)[0]


def _event(
    request: Request, row: Mapping[str, Any], place: int, now: float
) -> contract.Interaction:
    fields = {key: value for key, value in row.items() if key != "key"}
    if "person" in fields or "user_id" in fields:
        _check_may_name(request)
    elif request.auth is None:
        person = services.person_of_account(account=caller(request))
        fields["person"] = person.external_id
    if fields.get("created_at") is None:
        fields["created_at"] = now
    fields.setdefault("view_time", 0)
    return parse_interaction(fields, where=f"interactions[{place}]")


def _check_may_name(request: Request) -> None:
    if not is_operator(request):
        raise PermissionDenied("You may only speak for yourself; leave 'person' out.")


def _rows(data: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    rows = data.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidInput(f"'{name}' must be a list of objects.", field=name)
    services.check_batch(rows, field=name)
    return rows


def _filters(request: Request) -> Filters:
    query = request.query_params
    return Filters(
        categories=tuple(query.getlist("category")),
        tags=tuple(query.getlist("tag")),
        exclude=tuple(query.getlist("exclude")),
        allow_seen=query.get("seen", "").lower() in ("1", "true"),
    )


def _count(request: Request) -> int:
    text = request.query_params.get("n", "10")
    if not text.lstrip("-").isdecimal() or len(text) > 9:
        raise InvalidInput("'n' must be a whole number.", field="n")
    return contract.check_count(int(text))


def _number(request: Request, name: str, default: float) -> float:
    try:
        return float(request.query_params.get(name, default))
    except ValueError:
        raise InvalidInput(f"'{name}' must be a number.", field=name) from None


def _uuid(value: object) -> UUID | None:
    if value is None:
        return None
    try:
        return UUID(str(value))
    except ValueError:
        raise InvalidInput("'impression' is not an id.", field="impression") from None


def _list(shown: lists.Shown) -> dict[str, Any]:
    return {
        "items": [
            {
                "content_id": content.external_id,
                "title": content.title,
                "category": content.category,
                "tags": content.tags,
                "score": line.score,
                "reason": {
                    "kind": line.reason.kind,
                    "content_id": line.reason.content,
                    "text": why,
                },
            }
            for content, line, why in shown.lines
        ],
        "model": {"name": shown.model_name, "version": shown.model_version},
        "source": shown.source,
        "arm": shown.arm,
        "impression": shown.impression,
    }
