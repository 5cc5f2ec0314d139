"""A Django project that knows nothing of this one: the files of a small newspaper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MANAGE: Final = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paper.settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""

SETTINGS: Final = """
import json, os
from pathlib import Path
from discern.web import host

FOLDER = Path(__file__).parent.parent
SECRET_KEY = "of the newspaper"
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "paper.urls"
USE_TZ = True
FILE = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(FOLDER / "paper.sqlite3")}
DATABASES = {"default": json.loads(os.environ.get("PAPER_DATABASE", json.dumps(FILE)))}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "rest_framework",
    "paper",
    "paper.jobs",
    *host.installed_apps(api=True),
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
REST_FRAMEWORK = {"DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"]}
globals().update(host.defaults())
ENGINE_FACTORY = "paper.engine.of_this_folder"
"""

APPS: Final = """
from django.apps import AppConfig

class PaperConfig(AppConfig):
    name = "paper"

    def ready(self):
        from discern.recommendations.contract import Content
        from discern.web.recommendations import adapter
        from paper.models import Article

        def to_content(article):
            return Content(str(article.pk), title=article.headline, category=article.section)

        adapter.connect(Article, to_content)
"""

MODELS: Final = """
from django.db import models

class Article(models.Model):
    headline = models.CharField(max_length=100)
    section = models.CharField(max_length=20)
"""

ENGINE: Final = """
from django.conf import settings
from discern.catalog.store import Store
from discern.engine.local import LocalEngine

def of_this_folder():
    return LocalEngine(Store(settings.ENVIRONMENT.home))
"""

URLS: Final = """
from django.urls import include, path
from rest_framework.decorators import api_view
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from discern.web.recommendations import adapter
from paper.models import Article

class ArticleSerializer(ModelSerializer):
    class Meta:
        model = Article
        fields = ["headline", "section"]

@api_view(["GET"])
def suggestions(request):
    found = adapter.get_recommendations(request.user.id)
    return Response(ArticleSerializer(found, many=True).data)

urlpatterns = [
    path("suggestions", suggestions),
    path("discern/", include("discern.web.recommendations.urls")),
]
"""

READ: Final = """
from django.contrib.auth.models import User
from discern.web.recommendations import adapter
from paper.models import Article

Article.objects.bulk_create(
    Article(headline=f"{section} news {i}", section=section)
    for section in ("sea", "sky") for i in range(20)
)
assert (adapter.take_all(Article).added, adapter.take_all(Article).replaced) == (40, 40)
sections = {name: list(Article.objects.filter(section=name)) for name in ("sea", "sky")}
for i in range(40):
    reader = User.objects.create_user(f"reader{i}")
    liked = sections["sea" if i % 2 else "sky"]
    for article in liked[i % 5 :: 3]:
        assert adapter.record(reader.id, article, liked=True).added == 1
ada = User.objects.create_user("ada", password="secret")
for article in sections["sea"][:6]:
    adapter.record(ada.id, article, liked=True, view_time=12.0)
Article.objects.create(headline="late", section="sky").delete()
"""

ASK: Final = """
import json, sys
from django.contrib.auth.models import User
from django.test import Client

ada = Client()
ada.force_login(User.objects.get(username="ada"))
key = Client(headers={"Authorization": f"Bearer {sys.argv[-1]}"})
own = User.objects.get(username="ada").id
print(json.dumps({
    "view": ada.get("/suggestions").json(),
    "own": ada.get("/discern/recommendations?n=3").status_code,
    "other": ada.get("/discern/recommendations?person=1").status_code,
    "nobody": Client().get("/discern/recommendations").status_code,
    "by_key": key.get(f"/discern/recommendations?person={own}&n=3").json(),
}))
"""

FILES: Final[Mapping[str, str]] = {
    "manage.py": MANAGE,
    "paper/__init__.py": "",
    "paper/apps.py": APPS,
    "paper/engine.py": ENGINE,
    "paper/jobs/__init__.py": "",
    "paper/models.py": MODELS,
    "paper/settings.py": SETTINGS,
    "paper/urls.py": URLS,
    "read.py": READ,
    "ask.py": ASK,
}
