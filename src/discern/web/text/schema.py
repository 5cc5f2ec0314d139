"""What the OpenAPI document says of a request for moods beyond its fields."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension


class AnalyzeExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Either ``text`` or ``texts``, and no field that is not named."""

    target_class = "discern.web.text.serializers.AnalyzeSerializer"

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        fields = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        either = [{"required": ["text"]}, {"required": ["texts"]}]
        return {**fields, "oneOf": either, "additionalProperties": False}
