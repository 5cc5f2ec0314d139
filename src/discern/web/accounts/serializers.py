"""The JSON of sessions and keys."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from discern.web.accounts.models import ApiKey


class CredentialsSerializer(serializers.Serializer[Any]):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1_000, trim_whitespace=False)


class PersonSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    username = serializers.CharField()
    is_staff = serializers.BooleanField(help_text="May see what those who run the site see.")


class SessionSerializer(serializers.Serializer[Any]):
    user = PersonSerializer(allow_null=True, help_text="null when nobody is signed in.")
    csrf_token = serializers.CharField(
        help_text="Send it as X-CSRFToken with every request of a session that changes something."
    )
    demo = serializers.BooleanField(help_text="Whether this site has the demo account.")


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = (
            "id",
            "name",
            "prefix",
            "created_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
        )
        read_only_fields: tuple[str, ...] = fields


class NewKeySerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100, help_text="What the key is for.")
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="Absent or null: never."
    )


class CreatedKeySerializer(KeySerializer):
    key = serializers.CharField(read_only=True, help_text="The key, shown this once.")

    class Meta(KeySerializer.Meta):
        fields: tuple[str, ...] = (*KeySerializer.Meta.fields, "key")
        read_only_fields: tuple[str, ...] = fields
