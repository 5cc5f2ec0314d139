"""The JSON of contents, interactions and lists, as the OpenAPI document describes it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from discern.recommendations.contract import MAX_ID_CHARS, Reason
from discern.web.recommendations.batches import MAX_BATCH
from discern.web.recommendations.lists import Shown
from discern.web.recommendations.models import Content, ImportJob, LearningJob, UserInteraction

LONGEST_SEARCH_S = 3_600.0


class NewContentSerializer(serializers.ModelSerializer[Content]):
    content_id = serializers.CharField(source="external_id", max_length=MAX_ID_CHARS)
    tags = serializers.ListField(child=serializers.CharField(), required=False)

    class Meta:
        model = Content
        fields = ("content_id", "title", "text", "category", "tags", "created_at", "available")


class ContentBatchSerializer(serializers.Serializer[Any]):
    contents = serializers.ListField(
        child=NewContentSerializer(), min_length=1, max_length=MAX_BATCH
    )


class ContentSerializer(serializers.ModelSerializer[Content]):
    content_id = serializers.CharField(source="external_id", read_only=True)
    tags = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Content
        fields: tuple[str, ...] = (
            "content_id",
            "title",
            "text",
            "category",
            "tags",
            "created_at",
            "available",
        )
        read_only_fields: tuple[str, ...] = fields


class ContentRowSerializer(ContentSerializer):
    people = serializers.IntegerField(read_only=True, help_text="How many people have met it.")

    class Meta(ContentSerializer.Meta):
        fields = (*ContentSerializer.Meta.fields, "people")
        read_only_fields = fields


class ContentPageSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = ContentRowSerializer(many=True)


class CategorySerializer(serializers.Serializer[Any]):
    category = serializers.CharField()
    contents = serializers.IntegerField()


class CategoriesSerializer(serializers.Serializer[Any]):
    categories = CategorySerializer(many=True)


class TakenSerializer(serializers.Serializer[Any]):
    added = serializers.IntegerField()
    replaced = serializers.IntegerField(help_text="Contents that were there already.")
    duplicates = serializers.IntegerField(help_text="Interactions that were there already.")
    unknown = serializers.IntegerField(help_text="Interactions with a content that is not there.")
    late = serializers.IntegerField(help_text="Of those added, how many are over an hour old.")
    out_of_order = serializers.IntegerField(
        help_text="Of those added, how many are older than what was known of person and content."
    )


class InteractionSerializer(serializers.Serializer[Any]):
    person = serializers.CharField(
        max_length=MAX_ID_CHARS,
        required=False,
        help_text="Your own id of the person. In a session: leave it out, it is you.",
    )
    content_id = serializers.CharField(max_length=MAX_ID_CHARS)
    liked = serializers.BooleanField(required=False, default=False)
    disliked = serializers.BooleanField(
        required=False, default=False, help_text="Not together with `liked`."
    )
    view_time = serializers.FloatField(required=False, default=0.0, help_text="Seconds.")
    created_at = serializers.DateTimeField(required=False, help_text="Now if left out or ahead.")
    key = serializers.CharField(
        max_length=64, required=False, help_text="Of the person's own: sent twice, it counts once."
    )


class InteractionBatchSerializer(serializers.Serializer[Any]):
    interactions = serializers.ListField(
        child=InteractionSerializer(), min_length=1, max_length=MAX_BATCH
    )
    impression = serializers.UUIDField(
        required=False, help_text="Of the list that led to these, for its click and like rates."
    )


class InteractionRowSerializer(serializers.ModelSerializer[UserInteraction]):
    person = serializers.CharField(source="person.external_id")
    content_id = serializers.CharField(source="content.external_id")
    title = serializers.CharField(source="content.title")

    class Meta:
        model = UserInteraction
        fields = (
            "person",
            "content_id",
            "title",
            "liked",
            "disliked",
            "view_time",
            "created_at",
        )
        read_only_fields = fields


class InteractionPageSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = InteractionRowSerializer(many=True)


class RecommendationReasonSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=("because", "popular", "new", "similar"))
    content_id = serializers.CharField(allow_null=True)
    text = serializers.CharField(help_text="The reason in words.")


class RecommendationLineSerializer(serializers.Serializer[Any]):
    content_id = serializers.CharField()
    title = serializers.CharField()
    category = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    score = serializers.FloatField(help_text="Orders this list; means nothing across lists.")
    reason = RecommendationReasonSerializer(
        required=False, help_text="Left out with `explain=false`."
    )


class RecommendationModelSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    version = serializers.CharField()


class RecommendationListSerializer(serializers.Serializer[Any]):
    items = RecommendationLineSerializer(many=True)
    model = RecommendationModelSerializer()
    source = serializers.ChoiceField(  # type: ignore[assignment]  # a field, as DRF means it
        choices=("model", "precomputed", "newest"),
        help_text="`precomputed`: the model server is away. `newest`: so it is, and no list made "
        "ahead has an answer; or nothing was fitted yet.",
    )
    arm = serializers.CharField(allow_blank=True)
    impression = serializers.UUIDField(allow_null=True)


class RateSerializer(serializers.Serializer[Any]):
    value = serializers.FloatField()
    low = serializers.FloatField(help_text="95 % confidence interval.")
    high = serializers.FloatField()
    hits = serializers.IntegerField()
    impressions = serializers.IntegerField()


class ArmSerializer(serializers.Serializer[Any]):
    arm = serializers.CharField(allow_blank=True)
    impressions = serializers.IntegerField()
    clicks = RateSerializer()
    likes = RateSerializer()


class FittedModelSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    version = serializers.CharField()
    model_bytes = serializers.IntegerField(source="bytes")
    report = serializers.DictField(
        child=serializers.FloatField(),
        help_text="Of the fit: quality on held-out people, coverage, Gini, seconds, "
        "sizes, and the most memory its process held, in megabytes.",
    )


class RecommendationMetricsSerializer(serializers.Serializer[Any]):
    people = serializers.IntegerField()
    contents = serializers.IntegerField()
    interactions = serializers.IntegerField()
    likes = serializers.IntegerField()
    shown_contents = serializers.IntegerField(
        help_text="Different contents in the lists of the last seven days."
    )
    popularity = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="People who met each content, the best known first; 200 at most.",
    )
    best_known_share = serializers.FloatField(
        help_text="What the best known fifth of all contents, also those that nobody met, has of "
        "all the meetings of people and contents; from 0 to 1."
    )
    categories = CategorySerializer(many=True)
    model = FittedModelSerializer(allow_null=True, help_text="The one that answers.")
    arms = ArmSerializer(many=True)


class ImportJobSerializer(serializers.ModelSerializer[ImportJob]):
    counts = serializers.DictField(child=serializers.IntegerField())
    problems = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = ImportJob
        fields = (
            "id",
            "kind",
            "name",
            "state",
            "progress_done",
            "progress_total",
            "progress_per_second",
            "counts",
            "problems",
            "error_code",
            "error_message",
            "created_at",
            "finished_at",
        )
        read_only_fields = fields


class LearningJobSerializer(serializers.ModelSerializer[LearningJob]):
    progress_done = serializers.IntegerField(read_only=True, help_text="Contents solved so far.")
    progress_total = serializers.IntegerField(
        read_only=True,
        allow_null=True,
        help_text="Contents to solve, null while settings are searched for; twice as many as "
        "there are where people are held out to measure on.",
    )
    report = serializers.DictField(child=serializers.FloatField())

    class Meta:
        model = LearningJob
        fields = (
            "id",
            "state",
            "stage",
            "progress_done",
            "progress_total",
            "tune_seconds",
            "version",
            "report",
            "error_code",
            "error_message",
            "created_at",
            "started_at",
            "finished_at",
        )
        read_only_fields = fields


class LearningJobPageSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = LearningJobSerializer(many=True)


class FitRequestSerializer(serializers.Serializer[Any]):
    tune_seconds = serializers.FloatField(
        required=False,
        default=60.0,
        min_value=0.0,
        max_value=LONGEST_SEARCH_S,
        help_text="How long to search for settings.",
    )


class ImportJobPageSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = ImportJobSerializer(many=True)


class ImportFormSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=ImportJob.Kind.choices)
    file = serializers.FileField(help_text="CSV, JSON Lines or Parquet.")


class WithdrawnSerializer(serializers.Serializer[Any]):
    interactions = serializers.IntegerField(help_text="Likes and dislikes taken back.")


class ErasedSerializer(serializers.Serializer[Any]):
    interactions = serializers.IntegerField()


def list_data(shown: Shown, *, explain: bool = True) -> dict[str, Any]:
    """A list as plain data, without its reasons if not to ``explain`` it; see
    :class:`RecommendationListSerializer`."""
    return {
        "items": [
            {
                "content_id": content.external_id,
                "title": content.title,
                "category": content.category,
                "tags": content.tags,
                "score": line.score,
                **({"reason": _reason(line.reason, why)} if explain else {}),
            }
            for content, line, why in shown.lines
        ],
        "model": {"name": shown.model_name, "version": shown.model_version},
        "source": shown.source,
        "arm": shown.arm,
        "impression": shown.impression,
    }


def _reason(reason: Reason, why: str) -> dict[str, Any]:
    return {"kind": reason.kind, "content_id": reason.content, "text": why}
