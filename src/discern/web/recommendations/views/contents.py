"""What can be suggested, and what goes with one of it."""

from __future__ import annotations

from dataclasses import asdict

from django.db.models import Count
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from discern.recommendations.files import parse_content
from discern.web.api.paging import NewestFirst
from discern.web.api.parsing import json_object
from discern.web.api.views import ApiView
from discern.web.recommendations import lists, serializers
from discern.web.recommendations.access import OperatorWrites
from discern.web.recommendations.columns import stored
from discern.web.recommendations.contents import (
    content_named,
    count_people,
    delete_content,
    put_contents,
)
from discern.web.recommendations.models import Content
from discern.web.recommendations.parameters import (
    FILTERS,
    LENGTH,
    PAGE,
    filters_of,
    length_of,
    rows_of,
)


class ContentsView(ApiView):
    """What can be suggested."""

    permission_classes = (OperatorWrites,)

    @extend_schema(
        operation_id="listContents",
        tags=["recommendations"],
        parameters=[OpenApiParameter("category", str), *PAGE],
        responses=serializers.ContentPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """All contents, newest first, each with how many people have met it."""
        found = Content.objects.all()
        if category := request.query_params.get("category"):
            found = found.filter(category=stored(category))
        pages = NewestFirst()
        page = pages.paginate_queryset(found, request, view=self) or []
        count_people(page)
        return pages.get_paginated_response(serializers.ContentRowSerializer(page, many=True).data)

    @extend_schema(
        operation_id="putContents",
        tags=["recommendations"],
        request=serializers.ContentBatchSerializer,
        responses=serializers.TakenSerializer,
    )
    def post(self, request: Request) -> Response:
        """Add contents, or replace those with the same id; all or none."""
        rows = rows_of(json_object(request), "contents")
        contents = [parse_content(row, where=f"contents[{i}]") for i, row in enumerate(rows)]
        return Response(asdict(put_contents(contents=contents)))


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
        return Response(serializers.ContentSerializer(content_named(content_id)).data)

    @extend_schema(operation_id="deleteContent", tags=["recommendations"], responses={204: None})
    def delete(self, request: Request, content_id: str) -> Response:
        """Delete a content and what was done with it."""
        delete_content(external_id=content_id)
        return Response(status=204)


class SimilarView(ApiView):
    """What goes with one content."""

    @extend_schema(
        operation_id="similarContents",
        tags=["recommendations"],
        parameters=[LENGTH, *FILTERS],
        responses=serializers.RecommendationListSerializer,
    )
    def get(self, request: Request, content_id: str) -> Response:
        """Contents the same people like, best first."""
        content = content_named(content_id)
        shown = lists.similar(content=content, n=length_of(request), filters=filters_of(request))
        return Response(serializers.list_data(shown))


class CategoriesView(ApiView):
    """Which kinds of contents there are."""

    @extend_schema(
        operation_id="listCategories",
        tags=["recommendations"],
        responses=serializers.CategoriesSerializer,
    )
    def get(self, request: Request) -> Response:
        """Every category with how many available contents it has, by name; at most 500."""
        found = (
            Content.objects.filter(available=True)
            .exclude(category="")
            .values("category")
            .annotate(contents=Count("pk"))
            .order_by("category")[:500]
        )
        return Response({"categories": list(found)})
