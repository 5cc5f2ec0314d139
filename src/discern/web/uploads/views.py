"""Translates HTTP for uploads; what happens is decided in services."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final, cast
from uuid import UUID

import orjson
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from discern import __version__
from discern.errors import InvalidInput, NotFound
from discern.web.accounts.authentication import caller
from discern.web.api.errors import Conflict
from discern.web.api.paging import NewestFirst
from discern.web.api.problems import problem_of
from discern.web.api.views import ApiView
from discern.web.jobs.models import State
from discern.web.uploads import events, render, services, storing
from discern.web.uploads.errors import QuotaExceeded
from discern.web.uploads.models import FINDS, IdempotentRequest, Upload, folded
from discern.web.uploads.parsing import PicturesParser
from discern.web.uploads.serializers import (
    AcceptedSerializer,
    UploadPageSerializer,
    UploadSerializer,
    describe,
)

THRESHOLD: Final = 0.3


class UploadsView(ApiView):
    """The caller's pictures."""

    parser_classes = (PicturesParser,)

    @extend_schema(
        operation_id="listUploads",
        tags=["uploads"],
        parameters=[
            OpenApiParameter("state", enum=list(State.values), description="Only in this state."),
            OpenApiParameter(
                "label", str, description="Only with an object of this label; case does not matter."
            ),
            OpenApiParameter("cursor", str),
            OpenApiParameter("page_size", int),
        ],
        responses=UploadPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """Pictures, newest first."""
        rows = services.owned(caller(request))
        if state := request.query_params.get("state"):
            if state not in State.values:
                raise InvalidInput(
                    f"'state' must be one of {', '.join(State.values)}.", field="state"
                )
            rows = rows.filter(state=state)
        if label := request.query_params.get("label"):
            # Rows from before labels were folded still need the database's own folding.
            rows = rows.filter(labels__icontains=f"|{folded(label[:100])}|")
        pages = NewestFirst()
        page = pages.paginate_queryset(rows, request, view=self) or []
        return pages.get_paginated_response([describe(row) for row in page])

    @extend_schema(
        operation_id="uploadPictures",
        tags=["uploads"],
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                str,
                OpenApiParameter.HEADER,
                description="Sending a request again with the same key does nothing twice.",
            ),
            OpenApiParameter(
                "priority",
                enum=list(services.PRIORITIES),
                description="interactive (default) or batch.",
            ),
            OpenApiParameter(
                "find",
                {"type": "array", "items": {"type": "string", "enum": list(FINDS)}},
                explode=False,
                style="form",
                description="What to look for, separated by commas; the site's setting "
                "(objects and text, with the text's mood) if left out. Reading text takes several "
                "times as long as finding objects.",
            ),
        ],
        request={
            "multipart/form-data": {
                "type": "object",
                "required": ["files"],
                "properties": {
                    "files": {"type": "array", "items": {"type": "string", "format": "binary"}}
                },
            }
        },
        responses={202: AcceptedSerializer},
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Upload pictures: JPEG, PNG, WebP or GIF, up to 20 files of 20 MiB. What they are is
        decided by their content. The answer comes at once; the work is done in the background."""
        owner = caller(request)
        files = [file for name in ("files", "file") for file in request.FILES.getlist(name)]
        candidates, rejected = services.examine(files)
        if not candidates:
            raise rejected[0].error
        refused = [_refusal(item) for item in rejected]
        priority = services.check_priority(request.query_params.get("priority"))
        find = services.check_find(request.query_params.get("find"))
        key = request.headers.get("Idempotency-Key")
        if key is None:
            rows = services.store(owner=owner, candidates=candidates, priority=priority, find=find)
            return self._accepted(rows, refused)
        named = ((item.name, item.data) for item in candidates)
        mark = services.fingerprint(named, find=find, priority=priority)
        key = services.check_key(key)
        if found := services.remembered(owner=owner, key=key, mark=mark):
            return _replayed(found)
        try:
            with (
                services.written(
                    owner=owner, candidates=candidates, priority=priority, find=find
                ) as rows,
                transaction.atomic(durable=True),
            ):
                services.put_in(owner=owner, rows=rows)
                answer = self._accepted(rows, refused)
                services.remember(owner=owner, key=key, mark=mark, status=202, body=answer.data)
        except (Conflict, QuotaExceeded):
            # The same request, sent twice at once, may have been carried out while this waited.
            if found := services.remembered(owner=owner, key=key, mark=mark):
                return _replayed(found)
            raise
        return answer

    def _accepted(self, rows: Sequence[Upload], refused: list[dict[str, Any]]) -> Response:
        body = {"uploads": [describe(row) for row in rows], "rejected": refused}
        return Response(body, status=202, headers=_location(body))


class UploadView(ApiView):
    """One picture."""

    @extend_schema(operation_id="getUpload", tags=["uploads"], responses=UploadSerializer)
    def get(self, request: Request, upload_id: UUID) -> Response:
        """Its state and, once there, what was found."""
        return Response(describe(services.get(owner=caller(request), upload_id=upload_id)))

    @extend_schema(operation_id="deleteUpload", tags=["uploads"], responses={204: None})
    def delete(self, request: Request, upload_id: UUID) -> Response:
        """Delete the picture and everything found in it."""
        services.delete(owner=caller(request), upload_id=upload_id)
        return Response(status=204)


class RetryView(ApiView):
    """Another try for a picture that failed or was done in part."""

    @extend_schema(
        operation_id="retryUpload",
        tags=["uploads"],
        request=None,
        responses={202: UploadSerializer},
    )
    def post(self, request: Request, upload_id: UUID) -> Response:
        """Queue a picture again that is failed or dead, or done with notes; then only the steps
        that the notes name are done, as after a detector was installed."""
        row = services.retry(owner=caller(request), upload_id=upload_id)
        return Response(describe(row), status=202)


_EVENT: Final = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "enum": ["progress", "done", "deleted"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "retry": {"type": "integer"},
    },
    "required": ["event", "data"],
}


class EventsView(ApiView):
    """What happens to a picture, as it happens."""

    @extend_schema(
        operation_id="uploadEvents",
        tags=["uploads"],
        responses={(200, "text/event-stream"): OpenApiResponse(_EVENT)},
    )
    def get(self, request: Request, upload_id: UUID) -> HttpResponseBase:
        """Server-sent events: `progress` on every change and `done` once at the end, each with
        the upload as JSON; or `deleted` at the end, with the `id` alone. Polling the upload itself
        works too."""
        owner = caller(request)
        services.get(owner=owner, upload_id=upload_id)
        return StreamingHttpResponse(
            events.stream(upload_id, describe, person=owner.pk),
            content_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )


_IMAGE: Final = OpenApiResponse(bytes)
_THRESHOLD: Final = OpenApiParameter(
    "threshold", float, description=f"Least score of an object drawn; {THRESHOLD} if left out."
)


class PictureView(ApiView):
    """The picture's pixels, without any metadata."""

    @extend_schema(
        operation_id="getPicture", tags=["uploads"], responses={(200, "image/*"): _IMAGE}
    )
    def get(self, request: Request, upload_id: UUID) -> HttpResponseBase:
        """The picture as it is stored: upright, without EXIF or place."""
        row = services.get(owner=caller(request), upload_id=upload_id)
        _must_have(row.picture)
        return _image(
            request, row.picture_media_type, lambda: _stored(row.picture), row.picture, row.sha256
        )


class ThumbnailView(ApiView):
    """A small version."""

    @extend_schema(
        operation_id="getThumbnail", tags=["uploads"], responses={(200, "image/*"): _IMAGE}
    )
    def get(self, request: Request, upload_id: UUID) -> HttpResponseBase:
        """At most 400 pixels on its longer side."""
        row = services.get(owner=caller(request), upload_id=upload_id)
        _must_have(row.thumbnail)
        return _image(
            request,
            row.picture_media_type,
            lambda: _stored(row.thumbnail),
            row.thumbnail,
            row.sha256,
        )


class OverlayView(ApiView):
    """What was found, as outlines."""

    @extend_schema(
        operation_id="getOverlay",
        tags=["uploads"],
        parameters=[_THRESHOLD],
        responses={(200, "image/svg+xml"): _IMAGE},
    )
    def get(self, request: Request, upload_id: UUID) -> HttpResponseBase:
        """An SVG of the picture's size with boxes and labels, to be laid over it."""
        row = services.get(owner=caller(request), upload_id=upload_id)
        _must_have(row.picture)
        threshold = _threshold(request)
        return _image(
            request,
            "image/svg+xml",
            lambda: render.overlay_svg(row, threshold=threshold),
            *_drawn(row, threshold),
        )


class AnnotatedView(ApiView):
    """The picture with what was found."""

    @extend_schema(
        operation_id="getAnnotated",
        tags=["uploads"],
        parameters=[_THRESHOLD],
        responses={(200, "image/png"): _IMAGE},
    )
    def get(self, request: Request, upload_id: UUID) -> HttpResponseBase:
        """A PNG with boxes and labels drawn in, at most 2,048 pixels on its longer side. A process
        draws one at a time; 503 when others take long."""
        row = services.get(owner=caller(request), upload_id=upload_id)
        _must_have(row.picture)
        threshold = _threshold(request)
        return _image(
            request,
            "image/png",
            lambda: render.annotated_png(row, _stored(row.picture), threshold=threshold),
            *_drawn(row, threshold),
        )


def _replayed(found: IdempotentRequest) -> Response:
    headers = {**_location(found.body), "Idempotent-Replay": "true"}
    return Response(found.body, status=found.status, headers=headers)


def _location(body: dict[str, Any]) -> dict[str, str]:
    """Where the upload is, if the answer tells of one."""
    uploads = body["uploads"]
    return {"Location": uploads[0]["links"]["self"]} if len(uploads) == 1 else {}


def _refusal(item: services.Rejected) -> dict[str, Any]:
    problem = problem_of(item.error)
    return {
        "index": item.index,
        "name": item.name,
        "code": problem["code"],
        "detail": problem["detail"],
        **({"limit": problem["limit"]} if "limit" in problem else {}),
    }


def _threshold(request: Request) -> float:
    given = request.query_params.get("threshold", str(THRESHOLD))
    try:
        value = float(given)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InvalidInput("'threshold' must be a number from 0 to 1.", field="threshold", limit=1)
    return value


def _must_have(name: str) -> None:
    if not name:
        raise NotFound("The picture has not been processed yet, or could not be.")


def _stored(name: str) -> bytes:
    try:
        return storing.read(name)
    except FileNotFoundError:
        raise NotFound("The picture's file is gone from the storage.") from None


def _drawn(row: Upload, threshold: float) -> tuple[Any, ...]:
    return (str(row.pk), row.sha256, threshold, row.objects_found, row.text_found)


def _image(
    request: Request, media_type: str, make: Callable[[], bytes], *made_of: Any
) -> HttpResponse:
    """An image, or 304 when the caller has it. ``made_of`` is all that decides how it looks, so
    that nothing is read or drawn to find out."""
    mark = hashlib.sha256(orjson.dumps([__version__, media_type, *made_of])).hexdigest()[:32]
    response = HttpResponse(
        content_type=media_type,
        headers={
            # It may be deleted, or worked on: a copy is asked about each time it is shown.
            "Cache-Control": "private, no-cache",
            "ETag": f'"{mark}"',
            "Content-Disposition": "inline",
            # Opened by itself, nothing in it may run, whatever it is.
            "Content-Security-Policy": "default-src 'none'; sandbox; style-src 'unsafe-inline'",
        },
    )
    answer = get_conditional_response(request._request, etag=response["ETag"], response=response)
    if answer is response:
        response.content = make()
    return cast(HttpResponse, answer)
