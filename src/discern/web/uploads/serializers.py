"""The JSON of uploads."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from discern.web.jobs.models import State
from discern.web.uploads.models import FINDS, STEPS, Upload
from discern.web.uploads.process import explain


class ModelRefSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    version = serializers.CharField()

    class Meta:
        ref_name = "PictureModel"


class BoxSerializer(serializers.Serializer[Any]):
    xmin = serializers.FloatField()
    ymin = serializers.FloatField()
    xmax = serializers.FloatField()
    ymax = serializers.FloatField()


class DetectedObjectSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]
    score = serializers.FloatField(help_text="0 to 1; not a calibrated probability.")
    box = BoxSerializer()


class ObjectsSerializer(serializers.Serializer[Any]):
    objects = DetectedObjectSerializer(many=True)
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    model = ModelRefSerializer()


class TextWordSerializer(serializers.Serializer[Any]):
    text = serializers.CharField()
    score = serializers.FloatField()
    quad = serializers.ListField(child=serializers.ListField(child=serializers.FloatField()))


class TextLineSerializer(TextWordSerializer):
    words = TextWordSerializer(many=True)


class TextSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(help_text="All lines in reading order, joined by line breaks.")
    lines = TextLineSerializer(many=True)
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    model = ModelRefSerializer()


class PictureMoodSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]
    score = serializers.FloatField()
    scores = serializers.DictField(child=serializers.FloatField())
    model = ModelRefSerializer()


class NoteSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()


class UploadProgressSerializer(serializers.Serializer[Any]):
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    step = serializers.ChoiceField(
        choices=STEPS, allow_null=True, help_text="The step being done, or null."
    )


class UploadLinksSerializer(serializers.Serializer[Any]):
    self = serializers.CharField()
    events = serializers.CharField()
    picture = serializers.CharField(allow_null=True)
    thumbnail = serializers.CharField(allow_null=True)
    overlay = serializers.CharField(allow_null=True)
    annotated = serializers.CharField(allow_null=True)


class UploadErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()


class UploadSerializer(serializers.Serializer[Any]):
    """One upload; ``objects``, ``text`` and ``mood`` are null until their step is done, and stay
    so where they were not asked for."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    media_type = serializers.CharField()
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    width = serializers.IntegerField(allow_null=True)
    height = serializers.IntegerField(allow_null=True)
    find = serializers.ListField(
        child=serializers.ChoiceField(choices=list(FINDS)), help_text="What was asked for."
    )
    state = serializers.ChoiceField(choices=State.choices)
    attempts = serializers.IntegerField()
    progress = UploadProgressSerializer()
    error = UploadErrorSerializer(allow_null=True)
    notes = serializers.DictField(
        child=NoteSerializer(), help_text="Why a step was left out, by the step's name."
    )
    objects = ObjectsSerializer(allow_null=True)
    text = TextSerializer(allow_null=True)
    mood = PictureMoodSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    links = UploadLinksSerializer()


class UploadPageSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = UploadSerializer(many=True)


class RejectedSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="The file's place in the request, from 0.")
    name = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()
    limit = serializers.FloatField(required=False)


class AcceptedSerializer(serializers.Serializer[Any]):
    uploads = UploadSerializer(many=True)
    rejected = RejectedSerializer(many=True)


def describe(row: Upload) -> dict[str, Any]:
    """An upload as plain data for JSON."""
    address = f"/api/v1/uploads/{row.pk}"
    has_picture = bool(row.picture)
    error = {"code": row.error_code, "message": explain(row)} if row.error_code else None
    return {
        "id": str(row.pk),
        "name": row.name,
        "media_type": row.media_type,
        "bytes": row.bytes,
        "sha256": row.sha256,
        "width": row.width,
        "height": row.height,
        "find": list(row.finds),
        "state": row.state,
        "attempts": row.attempts,
        "progress": {"done": row.progress_done, "total": len(row.steps), "step": _step(row)},
        "error": error,
        "notes": row.notes,
        "objects": row.objects_found,
        "text": row.text_found,
        "mood": row.mood,
        "created_at": row.created_at.isoformat(),
        "started_at": row.started_at.isoformat() if row.started_at else None,
        "finished_at": row.finished_at.isoformat() if row.finished_at else None,
        "links": {
            "self": address,
            "events": f"{address}/events",
            "picture": f"{address}/picture" if has_picture else None,
            "thumbnail": f"{address}/thumbnail" if has_picture else None,
            "overlay": f"{address}/overlay.svg" if has_picture else None,
            "annotated": f"{address}/annotated.png" if has_picture else None,
        },
    }


def _step(row: Upload) -> str | None:
    if row.state != State.PROCESSING or row.progress_done >= len(row.steps):
        return None
    return row.steps[row.progress_done]
