"""Files of texts: sent once, worked on in the background, read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from discern.web.accounts.authentication import caller
from discern.web.api.paging import ByOffset, NewestFirst
from discern.web.api.parsing import JsonParser, check_length, json_object, read_body
from discern.web.api.views import ApiView
from discern.web.text import jobs
from discern.web.text.models import TextJob
from discern.web.text.serializers import (
    RowPageSerializer,
    TextJobFormSerializer,
    TextJobPageSerializer,
    TextJobPasteSerializer,
    TextJobRawSerializer,
    TextJobSerializer,
)
from discern.web.text.views import PAGE_PARAMETERS

FORM_ALLOWANCE_BYTES = 64 * 1024
"""What a form may weigh beside its file."""


class CsvParser(BaseParser):
    """A body that is the file itself, as ``curl --data-binary @file.csv`` sends it."""

    media_type = "text/csv"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        headers = (parser_context or {})["request"].META
        return read_body(stream, headers=headers, limit=settings.TEXT_JOB_MAX_BYTES)


class JsonLinesParser(CsvParser):
    """The same for JSON Lines."""

    media_type = "application/x-ndjson"


class TextJobsView(ApiView):
    """The caller's files of texts."""

    parser_classes = (MultiPartParser, JsonParser, CsvParser, JsonLinesParser)

    @extend_schema(
        operation_id="createTextJob",
        tags=["text jobs"],
        parameters=[
            OpenApiParameter("column", str, description="With a raw body: as in the form."),
            OpenApiParameter("header", bool, description="With a raw body: as in the form."),
            OpenApiParameter("name", str, description="With a raw body: as in the form."),
        ],
        request={
            "multipart/form-data": TextJobFormSerializer,
            "application/json": TextJobPasteSerializer,
            "text/csv": OpenApiTypes.STR,
            "application/x-ndjson": OpenApiTypes.STR,
        },
        responses={
            202: TextJobSerializer,
            409: OpenApiResponse(description="Too many of your files are not finished yet."),
        },
    )
    def post(self, request: Request) -> Response:
        """Send a CSV or JSON Lines file; the moods of its rows are read in the background."""
        check_length(request.META, limit=settings.TEXT_JOB_MAX_BYTES + FORM_ALLOWANCE_BYTES)
        job = jobs.accept(owner=caller(request), **_read_file(request))
        body = describe(job)
        return Response(body, status=202, headers={"Location": body["links"]["self"]})

    @extend_schema(
        operation_id="listTextJobs",
        tags=["text jobs"],
        parameters=PAGE_PARAMETERS,
        responses=TextJobPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """Your files, newest first."""
        pages = NewestFirst()
        found = jobs.jobs_of(owner=caller(request))
        page = pages.paginate_queryset(found, request, view=self) or []
        return pages.get_paginated_response([describe(job) for job in page])


class TextJobView(ApiView):
    """One file of texts."""

    @extend_schema(operation_id="getTextJob", tags=["text jobs"], responses=TextJobSerializer)
    def get(self, request: Request, job_id: UUID) -> Response:
        """State, progress, and how the moods are distributed so far."""
        return Response(describe(jobs.job_of(owner=caller(request), job_id=job_id)))

    @extend_schema(operation_id="deleteTextJob", tags=["text jobs"], responses={204: None})
    def delete(self, request: Request, job_id: UUID) -> Response:
        """Delete the file and its results for good, stopping the work on it."""
        jobs.delete(owner=caller(request), job_id=job_id)
        return Response(status=204)


class RetryView(ApiView):
    """Another try."""

    @extend_schema(
        operation_id="retryTextJob",
        tags=["text jobs"],
        request=None,
        responses={202: TextJobSerializer, 409: OpenApiResponse(description="Not failed or dead.")},
    )
    def post(self, request: Request, job_id: UUID) -> Response:
        """Queue a failed or dead job again; what it had finished is kept."""
        return Response(describe(jobs.retry(owner=caller(request), job_id=job_id)), status=202)


class RowsView(ApiView):
    """Results by row."""

    @extend_schema(
        operation_id="listTextJobRows",
        tags=["text jobs"],
        parameters=[
            OpenApiParameter("offset", {"type": "integer", "minimum": 0}),
            OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 1000}),
            OpenApiParameter("label", str, description="Only rows of this mood."),
        ],
        responses=RowPageSerializer,
    )
    def get(self, request: Request, job_id: UUID) -> Response:
        """The rows finished so far."""
        job = jobs.job_of(owner=caller(request), job_id=job_id)
        pages = ByOffset()
        label = request.query_params.get("label") or None
        count = job.progress_done if label is None else job.counts.get(label, 0)
        pages.begin(request, count=count)
        offset, limit = pages.offset or 0, pages.limit or pages.default_limit
        rows = jobs.rows_of(job, offset=offset, limit=limit, label=label)
        for row in rows:
            del row["model"]
        return pages.get_paginated_response(rows)


class ResultView(ApiView):
    """The result as a file."""

    @extend_schema(
        operation_id="downloadTextJobResult",
        tags=["text jobs"],
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            409: OpenApiResponse(description="The job is not done."),
        },
    )
    def get(self, request: Request, job_id: UUID) -> StreamingHttpResponse:
        """Your columns with the mood added, as CSV. Cells that a spreadsheet would run as a formula
        begin with an apostrophe."""
        job = jobs.job_of(owner=caller(request), job_id=job_id)
        return StreamingHttpResponse(
            jobs.result_csv(job),
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="discern-{job.pk}.csv"',
                "Cache-Control": "private, no-store",
            },
        )


def describe(job: TextJob) -> dict[str, Any]:
    """The JSON of a job."""
    total = job.progress_total or 0
    left = max(0, total - job.progress_done)
    rate = job.progress_per_second
    links = {
        name: reverse(f"text-job{suffix}", kwargs={"job_id": job.pk})
        for name, suffix in (
            ("self", ""),
            ("rows", "-rows"),
            ("result", "-result"),
            ("retry", "-retry"),
        )
    }
    error = {"code": job.error_code, "detail": job.error_message} if job.error_code else None
    return {
        "id": str(job.pk),
        "name": job.name,
        "format": job.format,
        "column": job.column,
        "state": job.state,
        "progress": {
            "done": job.progress_done,
            "total": total,
            "left": left,
            "rows_per_second": rate,
            "seconds_left": left / rate if rate and left else None,
        },
        "distribution": {label: job.counts.get(label, 0) for label in job.labels},
        "row_errors": job.errors,
        "model_name": job.model_name or None,
        "model_version": job.model_version or None,
        "error": error,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "links": links,
    }


def _read_file(request: Request) -> dict[str, Any]:
    data: Any = request.data
    if isinstance(data, bytes):
        raw = TextJobRawSerializer(data=request.query_params)
        raw.is_valid(raise_exception=True)
        kind = "jsonl" if "ndjson" in (request.content_type or "") else "csv"
        return {"content": data, "format": kind, **_options(raw.validated_data)}
    if request.content_type.startswith("multipart/"):
        form = TextJobFormSerializer(data=data)
        form.is_valid(raise_exception=True)
        file: UploadedFile[Any] = form.validated_data["file"]
        jobs.check_size(file.size or 0)
        options = _options(form.validated_data)
        options["name"] = options["name"] or file.name or ""
        return {"content": file.read(), **options}
    pasted = TextJobPasteSerializer(data=json_object(request))
    pasted.is_valid(raise_exception=True)
    content = pasted.validated_data["content"].encode()
    return {"content": content, **_options(pasted.validated_data)}


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    options = {
        "name": given.get("name", ""),
        "column": given.get("column", ""),
        "has_header": given.get("header", True),
    }
    return options | ({"format": given["format"]} if given.get("format") else {})
