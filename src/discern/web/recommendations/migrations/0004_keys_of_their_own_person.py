"""Keys that were told were one site's; now they are one person's, and stored as a digest of both."""

import hashlib

from django.db import migrations

AT_ONCE = 1_000


def make_own(apps, schema_editor):
    interactions = apps.get_model("recommend", "UserInteraction").objects
    told = interactions.exclude(key__regex=r"^[0-9a-f]{64}$").select_related("person")
    part = []
    for row in told.only("key", "person__external_id").iterator(AT_ONCE):
        said = ("key", row.person.external_id, row.key)
        row.key = hashlib.sha256(repr(said).encode()).hexdigest()
        part.append(row)
        if len(part) == AT_ONCE:
            interactions.bulk_update(part, ["key"])
            part = []
    interactions.bulk_update(part, ["key"])


class Migration(migrations.Migration):

    dependencies = [
        ("recommend", "0003_impressions_kept_for_a_time"),
    ]

    operations = [
        # Back again they stay as they are: valid, but told again they would count again.
        migrations.RunPython(make_own, migrations.RunPython.noop, elidable=True),
    ]
