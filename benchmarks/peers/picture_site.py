"""The usual tutorial's picture upload, written anew: a Django view that stores the file and sends a
Celery task, and a task that opens the picture, loads its models, runs them and stores the result.

The models are the ones that Discern serves, as ONNX files: the detector with Discern's own decoder,
the text reader as its package's documentation starts it, the sentiment model with Discern's engine.
Everything is imported once, when the worker starts, and Celery is left at its defaults; with
``PICTURE_LOADED=task`` the runtime is loaded in the task, for a worker whose children serve one
task each: onnxruntime, or with ``PICTURE_RUNTIME=torch`` torch and what converts the file for it.

``PICTURE_SITE`` names a folder of the site's own, ``PICTURE_MODEL`` the detector's file and
``PICTURE_TASK`` what is done: ``objects``, or ``everything``. :func:`make_table` comes first;
``picture_site:application`` serves; ``celery -A picture_site worker`` works.
"""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import Any

import django
import numpy as np
from celery import Celery
from django.conf import settings
from PIL import Image

if os.environ.get("PICTURE_LOADED") != "task":
    import onnxruntime  # noqa: F401 - loaded before the worker forks, as a tutorial's torch is

import cv2  # noqa: F401 - with which pictures are resized; loaded before the worker forks as well

HOME = Path(os.environ["PICTURE_SITE"])
MODEL, TASK = Path(os.environ["PICTURE_MODEL"]), os.environ["PICTURE_TASK"]
BY_TORCH = os.environ.get("PICTURE_RUNTIME") == "torch"

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": HOME / "site.sqlite3",
            "OPTIONS": {"timeout": 20},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["picture_site"],
    MEDIA_ROOT=HOME / "media",
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None},
    ROOT_URLCONF="picture_site",
    SECRET_KEY=uuid.uuid4().hex,
    USE_TZ=True,
)
django.setup()

# Only now: each of them reads the settings.
from discern.vision.contract import OpenedImage  # noqa: E402
from discern.vision.detect import load_file_detector  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.decorators import api_view, parser_classes  # noqa: E402
from rest_framework.parsers import MultiPartParser  # noqa: E402
from rest_framework.request import Request  # noqa: E402

if TASK == "everything":
    from discern.catalog.store import Store
    from discern.engine.local import LocalEngine
    from rapidocr import RapidOCR
if BY_TORCH:
    from torch_detector import load_torch_detector as load_detector
else:
    load_detector = load_file_detector

app = Celery("picture_site", broker=os.environ.get("PICTURE_BROKER"))
app.conf.broker_connection_retry_on_startup = True


class UserUpload(models.Model):
    id: int
    image = models.ImageField(upload_to="uploads")
    processed: models.BooleanField[bool, bool] = models.BooleanField(default=False)
    results: models.TextField[str, str] = models.TextField(default="")

    class Meta:
        app_label = "picture_site"

    def __str__(self) -> str:
        return self.image.name or ""


@app.task
def process_image(upload_id: int) -> int:
    upload = UserUpload.objects.get(id=upload_id)
    image = Image.open(upload.image.path).convert("RGB")
    pixels = np.asarray(image)
    [found] = load_detector(MODEL).detect(
        [OpenedImage(pixels, image.width, image.height, "JPEG", 1)]
    )
    results = found.to_dict()
    if TASK == "everything":
        read: Any = RapidOCR(params={"Global.log_level": "critical"})(upload.image.path)
        results["text"] = "\n".join(read.txts or ())
        if results["text"]:
            engine = LocalEngine(Store(HOME))
            results["mood"] = engine.analyze([results["text"]])[0].label
            engine.close()
    upload.processed = True
    upload.results = json.dumps(results)
    upload.save()
    return upload.id


@api_view(["POST"])
@parser_classes([MultiPartParser])
def upload_image(request: Request) -> JsonResponse:
    upload = UserUpload.objects.create(image=request.FILES["image"])
    process_image.delay(upload.id)
    return JsonResponse({"upload_id": upload.id, "status": "processing"})


def left(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"left": UserUpload.objects.filter(processed=False).count()})


urlpatterns = [path("upload", upload_image), path("left", left)]
application = get_wsgi_application()


def make_table() -> None:
    with connection.schema_editor() as editor:
        editor.create_model(UserUpload)
