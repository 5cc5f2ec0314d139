"""The JSON of texts, analyses and text jobs, as the OpenAPI document describes it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from discern.text.contract import MAX_TEXT_CHARS
from discern.web.jobs.models import State
from discern.web.text.models import Analysis
from discern.web.text.services import MAX_CALL_CHARS, MAX_COMMENT_CHARS, MAX_TEXTS


class AnalyzeSerializer(serializers.Serializer[Any]):
    """Describes the request; the core's own checks judge it, so every door says the same."""

    text = serializers.CharField(
        required=False, max_length=MAX_TEXT_CHARS, help_text="One text. Give this or `texts`."
    )
    texts = serializers.ListField(
        child=serializers.CharField(max_length=MAX_TEXT_CHARS),
        required=False,
        min_length=1,
        max_length=MAX_TEXTS,
        help_text=f"Several texts, {MAX_CALL_CHARS:,} characters in all at most.",
    )
    model = serializers.CharField(
        required=False, help_text="A model's name; absent: the active one."
    )
    record = serializers.BooleanField(
        required=False, default=False, help_text="Keep the texts and their moods as yours."
    )


class MoodSerializer(serializers.Serializer[Any]):
    label = serializers.CharField(  # type: ignore[assignment]  # a field, as DRF means it
        help_text="The most likely mood."
    )
    score = serializers.FloatField(help_text="Its probability.")
    scores = serializers.DictField(
        child=serializers.FloatField(), help_text="Every label's probability; they sum to 1."
    )
    windows = serializers.IntegerField(
        help_text="In how many overlapping windows the text was read: 1 for all but long texts."
    )
    tokens = serializers.IntegerField()
    model_name = serializers.CharField()
    model_version = serializers.CharField()
    id = serializers.UUIDField(
        allow_null=True, help_text="Of the recorded analysis; null when it was not recorded."
    )


class AnalyzeResponseSerializer(serializers.Serializer[Any]):
    results = MoodSerializer(many=True, help_text="One for each text, in order.")


class AnalysisSerializer(serializers.ModelSerializer[Analysis]):
    scores = serializers.DictField(child=serializers.FloatField())
    right_label = serializers.CharField(help_text="From feedback; empty without.")

    class Meta:
        model = Analysis
        fields = (
            "id",
            "text",
            "label",
            "score",
            "scores",
            "windows",
            "model_name",
            "model_version",
            "created_at",
            "right_label",
            "feedback_comment",
            "feedback_at",
        )
        read_only_fields = fields


class AnalysisPageSerializer(serializers.Serializer[Any]):
    next = serializers.CharField(allow_null=True, help_text="Address of the next page.")
    previous = serializers.CharField(allow_null=True)
    results = AnalysisSerializer(many=True)


class FeedbackSerializer(serializers.Serializer[Any]):
    label = serializers.CharField(  # type: ignore[assignment]  # a field, as DRF means it
        max_length=100, help_text="The label that would be right."
    )
    comment = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=MAX_COMMENT_CHARS
    )


class ProgressSerializer(serializers.Serializer[Any]):
    done = serializers.IntegerField(help_text="Rows done.")
    total = serializers.IntegerField(help_text="Rows in all.")
    left = serializers.IntegerField()
    rows_per_second = serializers.FloatField(allow_null=True)
    seconds_left = serializers.FloatField(allow_null=True)


class JobErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    detail = serializers.CharField()


class TextJobLinksSerializer(serializers.Serializer[Any]):
    self = serializers.CharField()
    rows = serializers.CharField()
    result = serializers.CharField(help_text="The result as CSV, once the job is done.")
    retry = serializers.CharField()


class TextJobSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    format = serializers.ChoiceField(choices=["csv", "jsonl"])
    column = serializers.CharField()
    state = serializers.ChoiceField(choices=State.choices)
    progress = ProgressSerializer()
    distribution = serializers.DictField(
        child=serializers.IntegerField(), help_text="Rows of each label so far."
    )
    row_errors = serializers.DictField(
        child=serializers.IntegerField(), help_text="Rows refused so far, by code."
    )
    model_name = serializers.CharField(allow_null=True)
    model_version = serializers.CharField(allow_null=True)
    error = JobErrorSerializer(allow_null=True, help_text="Why the job failed.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    links = TextJobLinksSerializer()


class TextJobPageSerializer(serializers.Serializer[Any]):
    next = serializers.CharField(allow_null=True, help_text="Address of the next page.")
    previous = serializers.CharField(allow_null=True)
    results = TextJobSerializer(many=True)


class RowSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField(help_text="Counted from 1, the header left out.")
    text = serializers.CharField(help_text="The first 500 characters.")
    label = serializers.CharField(  # type: ignore[assignment]  # a field, as DRF means it
        allow_null=True
    )
    score = serializers.FloatField(allow_null=True)
    scores = serializers.DictField(child=serializers.FloatField(), allow_null=True)
    error = JobErrorSerializer(allow_null=True, help_text="Why this row was refused.")


class RowPageSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="Rows done so far.")
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = RowSerializer(many=True)


class TextJobFormSerializer(serializers.Serializer[Any]):
    """A file sent as a form."""

    file = serializers.FileField(help_text="CSV or JSON Lines, UTF-8.")
    column = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Holds the texts. Absent: `text`, or the only column.",
    )
    header = serializers.BooleanField(
        required=False, default=True, help_text="Whether a CSV's first line names its columns."
    )
    format = serializers.ChoiceField(
        choices=["csv", "jsonl"], required=False, help_text="Absent: by the file's name."
    )
    name = serializers.CharField(required=False, allow_blank=True, max_length=255)


class TextJobPasteSerializer(serializers.Serializer[Any]):
    """A file pasted into JSON."""

    content = serializers.CharField(help_text="CSV or JSON Lines.", trim_whitespace=False)
    column = serializers.CharField(required=False, allow_blank=True)
    header = serializers.BooleanField(required=False, default=True)
    format = serializers.ChoiceField(choices=["csv", "jsonl"], required=False)
    name = serializers.CharField(required=False, allow_blank=True, max_length=255)


class TextJobRawSerializer(serializers.Serializer[Any]):
    """What goes with a file that is the body itself, in the address."""

    column = serializers.CharField(required=False, allow_blank=True)
    header = serializers.BooleanField(required=False, default=True)
    name = serializers.CharField(required=False, allow_blank=True, max_length=255)
