"""One request of texts, what was recorded of them, and feedback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from discern.errors import InvalidInput
from discern.text.contract import Sentiment
from discern.web.accounts.authentication import caller
from discern.web.api import carried
from discern.web.api.paging import NewestFirst
from discern.web.api.parsing import check_fields, json_object
from discern.web.api.views import ApiView
from discern.web.text import (
    schema,  # noqa: F401 - tells the OpenAPI document what the serializer cannot
    services,
)
from discern.web.text.models import Analysis
from discern.web.text.serializers import (
    AnalysisPageSerializer,
    AnalysisSerializer,
    AnalyzeResponseSerializer,
    AnalyzeSerializer,
    FeedbackSerializer,
)

_LABEL = OpenApiParameter("label", str, description="Only analyses with this label.")
PAGE_PARAMETERS = [
    OpenApiParameter("cursor", str, description="From `next` or `previous`."),
    OpenApiParameter("page_size", {"type": "integer", "minimum": 1, "maximum": 200}),
]


class AnalyzeView(ApiView):
    """The mood of texts."""

    @extend_schema(
        operation_id="analyze",
        tags=["text"],
        request=AnalyzeSerializer,
        responses=AnalyzeResponseSerializer,
    )
    def post(self, request: Request) -> Response:
        """The mood of `text`, or of each of `texts` (256 at most; more as a file of texts)."""
        data = json_object(request)
        check_fields(data, {"text", "texts", "model", "record"})
        wanted = _flag(data, "record")
        checked = services.read_texts(data)
        model = _model(data)
        carried.raise_error(request.META)
        moods = services.analyze(texts=checked, model=model)
        if not wanted:
            return Response(answer_of(moods))
        kept = services.record(owner=caller(request), texts=checked, moods=moods)
        return Response(answer_of(moods, kept))


def answer_of(moods: Sequence[Sentiment], kept: Sequence[Analysis] = ()) -> dict[str, Any]:
    """The answer's body; ``kept`` are the rows where the moods were recorded."""
    ids: Sequence[str | None] = [str(row.pk) for row in kept] or [None] * len(moods)
    return {"results": [_mood(mood, id) for mood, id in zip(moods, ids, strict=True)]}


class AnalysesView(ApiView):
    """Recorded analyses of the caller."""

    @extend_schema(
        operation_id="listAnalyses",
        tags=["text"],
        parameters=[_LABEL, *PAGE_PARAMETERS],
        responses=AnalysisPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """What you recorded, newest first."""
        label = request.query_params.get("label")
        found = services.analyses_of(owner=caller(request), label=label)
        pages = NewestFirst()
        page = pages.paginate_queryset(found, request, view=self) or []
        return pages.get_paginated_response(AnalysisSerializer(page, many=True).data)

    @extend_schema(operation_id="deleteAnalyses", tags=["text"], responses={204: None})
    def delete(self, request: Request) -> Response:
        """Delete everything you recorded."""
        services.delete_analyses(owner=caller(request))
        return Response(status=204)


class AnalysisView(ApiView):
    """One recorded analysis."""

    @extend_schema(operation_id="getAnalysis", tags=["text"], responses=AnalysisSerializer)
    def get(self, request: Request, analysis_id: UUID) -> Response:
        """One analysis."""
        found = services.analysis_of(owner=caller(request), analysis_id=analysis_id)
        return Response(AnalysisSerializer(found).data)

    @extend_schema(operation_id="deleteAnalysis", tags=["text"], responses={204: None})
    def delete(self, request: Request, analysis_id: UUID) -> Response:
        """Delete one analysis for good."""
        services.delete_analysis(owner=caller(request), analysis_id=analysis_id)
        return Response(status=204)


class FeedbackView(ApiView):
    """What a person says about an analysis."""

    @extend_schema(
        operation_id="giveFeedback",
        tags=["text"],
        request=FeedbackSerializer,
        responses=AnalysisSerializer,
    )
    def post(self, request: Request, analysis_id: UUID) -> Response:
        """Say that this is wrong, and which label would be right."""
        given = FeedbackSerializer(data=json_object(request))
        given.is_valid(raise_exception=True)
        noted = services.give_feedback(
            owner=caller(request), analysis_id=analysis_id, **given.validated_data
        )
        return Response(AnalysisSerializer(noted).data)


def _mood(mood: Sentiment, recorded: str | None) -> dict[str, Any]:
    return {
        "label": mood.label,
        "score": mood.score,
        "scores": dict(mood.scores),
        "windows": mood.windows,
        "tokens": mood.tokens,
        "model_name": mood.model_name,
        "model_version": mood.model_version,
        "id": recorded,
    }


def _flag(data: dict[str, Any], name: str) -> bool:
    value = data.get(name, False)
    if not isinstance(value, bool):
        raise InvalidInput(f"'{name}' must be true or false.", field=name)
    return value


def _model(data: dict[str, Any]) -> str | None:
    value = data.get("model")
    if value is not None and not isinstance(value, str):
        raise InvalidInput("'model' must be a model's name.", field="model")
    return value
