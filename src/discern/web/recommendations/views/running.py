"""What those who run it need: how it is going, files taken in, fits."""

from __future__ import annotations

from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from discern.errors import InvalidInput
from discern.web.accounts.authentication import caller
from discern.web.api.paging import NewestFirst
from discern.web.api.views import ApiView
from discern.web.recommendations import importing, metrics, nightly, serializers
from discern.web.recommendations.access import Operator
from discern.web.recommendations.columns import stored
from discern.web.recommendations.parameters import PAGE


class MetricsView(ApiView):
    """How it is going."""

    @extend_schema(
        operation_id="recommendationMetrics",
        tags=["recommendations"],
        parameters=[OpenApiParameter("experiment", str)],
        responses=serializers.RecommendationMetricsSerializer,
    )
    def get(self, request: Request) -> Response:
        """Sizes, the popularity curve, the model that answers, and the rates of each arm."""
        experiment = stored(request.query_params.get("experiment", ""))
        found = metrics.gather(experiment=experiment)
        return Response(serializers.RecommendationMetricsSerializer(found).data)


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
        importing.check_size(file.size or 0)  # before it is read into memory
        kind = str(form.get("kind", ""))
        job = importing.accept(
            owner=caller(request), kind=kind, content=file.read(), name=file.name or ""
        )
        return Response(serializers.ImportJobSerializer(job).data, status=202)

    @extend_schema(
        operation_id="listImports",
        tags=["recommendations"],
        parameters=PAGE,
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


class FitsView(ApiView):
    """Fits of a new model."""

    permission_classes = (Operator,)

    @extend_schema(
        operation_id="createFit",
        tags=["recommendations"],
        request=serializers.FitRequestSerializer,
        responses={202: serializers.LearningJobSerializer},
    )
    def post(self, request: Request) -> Response:
        """Learn from everything stored, in the background. The present model answers until the
        new one stands; 409 while another fit runs."""
        form = serializers.FitRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        job = nightly.enqueue_fit(tune_seconds=form.validated_data["tune_seconds"])
        return Response(serializers.LearningJobSerializer(job).data, status=202)

    @extend_schema(
        operation_id="listFits",
        tags=["recommendations"],
        parameters=PAGE,
        responses=serializers.LearningJobPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """All fits, newest first."""
        pages = NewestFirst()
        page = pages.paginate_queryset(nightly.fits(), request, view=self) or []
        return pages.get_paginated_response(serializers.LearningJobSerializer(page, many=True).data)


class FitView(ApiView):
    """One fit."""

    permission_classes = (Operator,)

    @extend_schema(
        operation_id="getFit",
        tags=["recommendations"],
        responses=serializers.LearningJobSerializer,
    )
    def get(self, request: Request, job_id: UUID) -> Response:
        """State, what is being done, and the report."""
        return Response(serializers.LearningJobSerializer(nightly.fit_named(job_id)).data)
