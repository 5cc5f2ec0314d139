"""The blog's recommendation view, mended just enough to answer: ``SIZE COUNT`` on the command
line, one JSON line with the processor's milliseconds of each request.

As published it crashes for everybody. Mended are: ordering by an annotation that was missing, the
numpy matrix and the numpy integers, and nothing else: it still fits TF-IDF on every text for each
request. The database is SQLite, the request goes through Django's whole handler.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import django
import numpy as np
from django.conf import settings

from texts_recommender import made_up

LIKES = 50


def main() -> None:
    size, count = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        settings.configure(
            SECRET_KEY="worthless",
            ALLOWED_HOSTS=["testserver"],
            ROOT_URLCONF=__name__,
            INSTALLED_APPS=[
                "django.contrib.contenttypes",
                "django.contrib.auth",
                "django.contrib.sessions",
                "blog_recommender",
            ],
            MIDDLEWARE=[
                "django.contrib.sessions.middleware.SessionMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
            ],
            DATABASES={
                "default": {
                    "ENGINE": "django.db.backends.sqlite3",
                    "NAME": str(Path(folder) / "blog.sqlite3"),
                }
            },
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            USE_TZ=True,
        )
        django.setup()
        print(json.dumps(measure(size, count)))


def measure(size: int, count: int) -> dict[str, Any]:
    """Fills the database and asks."""
    from django.core.management import call_command
    from django.db import connection

    models = declared()
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        for model in models.values():
            editor.create_model(model)
    client = filled(models, size)
    globals()["urlpatterns"] = [url_of(models)]
    listed = client.get("/recommendations").json()
    spent = []
    for _ in range(count):
        began = time.process_time()
        client.get("/recommendations")
        spent.append(1000 * (time.process_time() - began))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return {"cpu_ms": spent, "listed": len(listed), "peak_mb": peak}


def declared() -> dict[str, Any]:
    """The blog's two tables."""
    from django.contrib.auth.models import User
    from django.db import models

    class Content(models.Model):  # noqa: DJ008 - as published
        title: models.CharField[str, str] = models.CharField(max_length=200)
        text: models.TextField[str, str] = models.TextField()
        category: models.CharField[str, str] = models.CharField(max_length=100)
        tags = models.JSONField()

        class Meta:
            app_label = "blog_recommender"

    class UserInteraction(models.Model):  # noqa: DJ008 - as published
        user: models.ForeignKey[User, User] = models.ForeignKey(User, on_delete=models.CASCADE)
        content: models.ForeignKey[Content, Content] = models.ForeignKey(
            Content, on_delete=models.CASCADE
        )
        liked: models.BooleanField[bool, bool] = models.BooleanField(default=False)
        view_time: models.IntegerField[int, int] = models.IntegerField(default=0)
        created_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(
            auto_now_add=True
        )

        class Meta:
            app_label = "blog_recommender"

    return {"Content": Content, "UserInteraction": UserInteraction}


def filled(models: dict[str, Any], size: int) -> Any:
    """A client signed in as somebody with likes."""
    from django.contrib.auth.models import User
    from django.test import Client

    rows = [models["Content"](**row) for row in made_up(size)]
    models["Content"].objects.bulk_create(rows, batch_size=1000)
    user = User.objects.create_user("anna", password="worthless")
    ids = list(models["Content"].objects.values_list("id", flat=True))
    liked = np.random.default_rng(3).choice(ids, LIKES, replace=False)
    models["UserInteraction"].objects.bulk_create(
        models["UserInteraction"](user=user, content_id=int(i), liked=True) for i in liked
    )
    client = Client()
    client.force_login(user)
    return client


def url_of(models: dict[str, Any]) -> Any:
    """The blog's view under its address."""
    from django.http import JsonResponse
    from django.urls import path

    def view(request: Any) -> Any:
        found = get_recommendations(models, request.user.id, 10)
        rows = [
            {"id": c.id, "title": c.title, "category": c.category, "tags": c.tags} for c in found
        ]
        return JsonResponse(rows, safe=False)

    return path("recommendations", view)


def get_recommendations(models: dict[str, Any], user_id: int, n: int) -> Any:
    """What the blog does for somebody with likes, step by step."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics.pairwise import cosine_similarity

    contents, interactions = models["Content"].objects, models["UserInteraction"].objects
    mine = interactions.filter(user_id=user_id)
    liked = contents.filter(userinteraction__user_id=user_id, userinteraction__liked=True)
    everything = contents.all()
    texts = [f"{c.title} {c.category} {' '.join(c.tags)}" for c in everything]
    vectors = TfidfVectorizer(stop_words="english").fit_transform(texts)
    places = [list(everything).index(content) for content in liked]
    profile = np.asarray(vectors[places].mean(axis=0))
    alike = cosine_similarity(profile, vectors)[0].argsort()[::-1]
    met = set(mine.values_list("content_id", flat=True))
    chosen: list[int] = []
    for place in alike:
        content_id = everything[int(place)].id
        if content_id not in met:
            chosen.append(content_id)
            if len(chosen) >= n:
                break
    return contents.filter(id__in=chosen)


if __name__ == "__main__":
    main()
