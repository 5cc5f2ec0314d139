"""The addresses of the tus protocol."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.utils.http import http_date
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from discern.vision.contract import MAX_IMAGE_BYTES
from discern.web.accounts.authentication import caller
from discern.web.api.views import ApiView
from discern.web.uploads import resumable
from discern.web.uploads.errors import UnsupportedVersion
from discern.web.uploads.models import ResumableUpload
from discern.web.uploads.parsing import PartParser

_HEADER: Final = OpenApiParameter.HEADER
_VERSION: Final = OpenApiParameter(
    "Tus-Resumable", str, _HEADER, required=True, enum=[resumable.VERSION]
)


_REFUSED: Final = OpenApiResponse(description="Another version of tus; Tus-Version names ours.")


class TusView(ApiView):
    """Checks the protocol's version on the way in and states it on the way out."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        asked = request.headers.get("Tus-Resumable")
        if request.method != "OPTIONS" and asked != resumable.VERSION:
            raise UnsupportedVersion(
                f"'Tus-Resumable' must be {resumable.VERSION}.", field="Tus-Resumable"
            )

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [] if self._is_open() else super().get_authenticators()

    def get_permissions(self) -> list[Any]:
        return [] if self._is_open() else list(super().get_permissions())

    def _is_open(self) -> bool:
        return getattr(self.request, "method", None) == "OPTIONS"

    @extend_schema(exclude=True)
    def options(  # type: ignore[override]
        self, request: Request, *args: Any, **kwargs: Any
    ) -> Response:
        """What the server can do, for anyone."""
        headers = {"Tus-Extension": resumable.EXTENSIONS, "Tus-Max-Size": str(MAX_IMAGE_BYTES)}
        return Response(status=204, headers=headers)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        final = super().finalize_response(request, response, *args, **kwargs)
        final.headers["Tus-Resumable"] = resumable.VERSION
        final.headers["Tus-Version"] = resumable.VERSION
        return final


class ResumablesView(TusView):
    """Begins resumable uploads."""

    @extend_schema(
        operation_id="createResumableUpload",
        tags=["resumable uploads"],
        parameters=[
            _VERSION,
            OpenApiParameter("Upload-Length", int, _HEADER, required=True),
            OpenApiParameter(
                "Upload-Metadata",
                str,
                _HEADER,
                description="filename; find and priority as in uploadPictures. Values in base64.",
            ),
        ],
        request=None,
        responses={201: None, 412: _REFUSED},
    )
    def post(self, request: Request) -> Response:
        """Begin an upload; Location is where its parts go (tus 1.0.0, creation)."""
        made = resumable.create(
            owner=caller(request),
            length=request.headers.get("Upload-Length", ""),
            metadata=request.headers.get("Upload-Metadata", ""),
        )
        location = request.build_absolute_uri(f"/api/v1/uploads/resumable/{made.pk}")
        return Response(status=201, headers={"Location": location, **_state(made)})


class ResumableView(TusView):
    """One resumable upload."""

    parser_classes = (PartParser,)

    @extend_schema(
        operation_id="getResumableUpload",
        tags=["resumable uploads"],
        parameters=[_VERSION],
        responses={200: None, 412: _REFUSED},
    )
    def head(self, request: Request, resumable_id: UUID) -> Response:
        """How many bytes are stored."""
        found = resumable.get(owner=caller(request), resumable_id=resumable_id)
        return Response(status=200, headers={**_state(found), "Cache-Control": "no-store"})

    @extend_schema(
        operation_id="sendPart",
        tags=["resumable uploads"],
        parameters=[_VERSION, OpenApiParameter("Upload-Offset", int, _HEADER, required=True)],
        request={resumable.PART_MEDIA_TYPE: {"type": "string", "format": "binary"}},
        responses={204: None, 412: _REFUSED},
    )
    def patch(self, request: Request, resumable_id: UUID) -> Response:
        """Store a part. With the last one the file becomes an upload: Content-Location says
        where it is, Discern-Upload its id."""
        changed = resumable.append(
            owner=caller(request),
            resumable_id=resumable_id,
            offset=request.headers.get("Upload-Offset", ""),
            data=_part(request.data),
        )
        return Response(status=204, headers=_state(changed))

    @extend_schema(
        operation_id="deleteResumableUpload",
        tags=["resumable uploads"],
        parameters=[_VERSION],
        responses={204: None, 412: _REFUSED},
    )
    def delete(self, request: Request, resumable_id: UUID) -> Response:
        """Give up an upload (tus 1.0.0, termination)."""
        resumable.terminate(owner=caller(request), resumable_id=resumable_id)
        return Response(status=204)


def _part(data: Any) -> bytes:
    return data if isinstance(data, bytes) else b""  # no body at all is parsed as an empty form


def _state(row: ResumableUpload) -> dict[str, str]:
    headers = {
        "Upload-Offset": str(row.offset),
        "Upload-Length": str(row.length),
        "Upload-Expires": http_date(row.expires_at.timestamp()),
    }
    if row.upload_id is not None:
        headers["Discern-Upload"] = str(row.upload_id)
        headers["Content-Location"] = f"/api/v1/uploads/{row.upload_id}"
    return headers
