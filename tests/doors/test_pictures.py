"""Pictures through every door: the local engine, the model server and the pipeline agree."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import urllib3
from click.testing import CliRunner
from PIL import Image, ImageDraw, ImageFont

from discern.catalog.pull import add
from discern.catalog.store import Store
from discern.cli.evaluate_detection import detection
from discern.engine.interface import Engine
from discern.engine.local import LocalEngine
from discern.engine.remote import RemoteEngine
from discern.errors import (
    CorruptMedia,
    DeadlineExceeded,
    EmptyInput,
    InvalidInput,
    ModelNotFound,
    ModelNotReady,
    TooLarge,
    UnsupportedMedia,
)
from discern.vision.formats import inspect
from discern.vision.images import open_image
from discern.vision.pipeline import object_detection, picture_bytes
from tests.fakes.make_detector import write_detector

pytest.importorskip("starlette")
pytest.importorskip("rapidocr")


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def blob() -> bytes:
    """A light square on black, which the tests' detector finds."""
    image = Image.new("RGB", (128, 64))
    image.paste((230, 230, 230), (64, 0, 128, 64))
    return png(image)


def sign(*lines: str) -> bytes:
    image = Image.new("RGB", (640, 60 + 70 * len(lines)), "white")
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((20, 20 + 70 * number), line, fill="black", font=ImageFont.load_default(40))
    return png(image)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    model = folder / "tiny.onnx"
    write_detector(model)
    store = Store(folder / "store")
    add(
        model,
        name="tiny",
        task="object-detection",
        labels=("blob",),
        preprocessing={"family": "fastestdet"},
        store=store,
    )
    return folder / "store"


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[str]:
    environment = os.environ | {
        "DISCERN_HOME": str(home),
        "DISCERN_MODEL_SERVER_TASKS": "object-detection",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "discern.cli", "model-server", "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().split()[-1]
    engine = RemoteEngine(url)
    for _ in range(200):
        if engine.ready():
            break
        time.sleep(0.05)
    yield url
    engine.close()
    process.terminate()
    process.communicate(timeout=30)


@pytest.fixture(scope="module", params=["local", "remote"])
def engine(request: pytest.FixtureRequest, home: Path) -> Iterator[Engine]:
    made: Engine
    if request.param == "local":
        made = LocalEngine(Store(home))
    else:
        made = RemoteEngine(request.getfixturevalue("server"))
    yield made
    made.close()


def test_objects_are_found_where_they_are(engine: Engine) -> None:
    result = engine.detect_objects(blob())
    assert (result.width, result.height, result.model_name) == (128, 64, "tiny")
    assert result.objects
    for found in result.objects:
        assert found.label == "blob"
        assert (found.box.xmin + found.box.xmax) / 2 > 64
    assert engine.detect_objects(png(Image.new("RGB", (64, 64)))).objects == ()


def test_text_is_read_in_order_with_words(engine: Engine) -> None:
    result = engine.read_text(sign("What a lovely day", "The food was awful"), deadline_s=60)
    assert result.text.splitlines() == ["What a lovely day", "The food was awful"]
    words = result.lines[0].words
    assert [word.text for word in words] == ["What", "a", "lovely", "day"]
    assert words[0].quad[0][0] < words[2].quad[0][0]
    assert all(0.5 < line.score <= 1 for line in result.lines)
    assert engine.read_text(png(Image.new("RGB", (90, 90))), deadline_s=60).lines == ()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", EmptyInput),
        (b"hello", UnsupportedMedia),
        (blob()[:-20], CorruptMedia),
        (blob() + b"<html>", CorruptMedia),
        (bytes(21 * 1024 * 1024), TooLarge),
    ],
)
def test_refusals_are_the_same_through_every_door(
    engine: Engine, data: bytes, error: type[Exception]
) -> None:
    for verb in (engine.detect_objects, engine.read_text):
        with pytest.raises(error):
            verb(data)


def test_options_are_checked(engine: Engine) -> None:
    for threshold in (0.0, 1.0, 2.0):
        with pytest.raises(InvalidInput):
            engine.detect_objects(blob(), threshold=threshold)
    with pytest.raises(ModelNotFound):
        engine.detect_objects(blob(), model="nobody")
    with pytest.raises(ModelNotFound):
        engine.read_text(blob(), model="nobody")
    with pytest.raises(DeadlineExceeded):
        engine.detect_objects(blob(), deadline_s=0)


def test_a_detector_that_is_not_here_says_how_to_get_it(engine: Engine) -> None:
    with pytest.raises(ModelNotReady, match="discern models pull yolox-s") as missing:
        engine.detect_objects(blob(), model="yolox-s")
    assert missing.value.retry_after_s is None
    states = {info.name: info for info in engine.models()}
    assert states["yolox-s"].state == "available"
    assert "DISCERN_MODEL_MIRROR" in (states["yolox-s"].reason or "")
    assert states["rapidocr"].task == "text-recognition"


def test_with_no_detector_at_all_the_rest_works(tmp_path: Path) -> None:
    engine = LocalEngine(Store(tmp_path))
    with pytest.raises(ModelNotReady, match="yolox-s"):
        engine.detect_objects(blob())
    assert engine.read_text(sign("STILL HERE")).text == "STILL HERE"
    engine.close()


def test_the_pipeline_answers_in_the_shape_of_the_original(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "blob.png"
    path.write_bytes(blob())
    detect = object_detection(engine, threshold=0.3)
    with Image.open(path) as image:
        answers = [detect(str(path)), detect(image), detect(path.read_bytes())]
    assert answers[0] == answers[1] == answers[2]
    [first, *_] = answers[0]
    assert set(first) == {"score", "label", "box"}
    assert set(first["box"]) == {"xmin", "ymin", "xmax", "ymax"}
    assert all(isinstance(value, int) for value in first["box"].values())
    assert detect([str(path), str(path)]) == [answers[0], answers[0]]
    assert list(detect(iter([path]))) == [answers[0]]
    assert detect(str(path), threshold=0.99) == []
    for wrong in ("http://127.0.0.1/x.png", str(tmp_path / "none.png"), 7):
        with pytest.raises(InvalidInput):
            detect(wrong)


def test_the_pipeline_turns_a_pil_image_upright_as_it_does_its_file(
    engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(io.BytesIO(blob())) as image:
        image.crop((0, 0, image.width, image.height // 2)).save(path, exif=exif)
    detect = object_detection(engine, threshold=0.05)
    with Image.open(path) as image:
        assert open_image(picture_bytes(image)).pixels.shape[0] == image.width
        assert detect(image) == detect(path)


def test_a_pil_image_whose_lossless_file_would_be_too_large_is_sent_all_the_same(
    engine: Engine,
) -> None:
    noise = np.random.default_rng(4).integers(0, 256, (2_700, 2_700, 4), np.uint8)
    for image in (Image.fromarray(noise), Image.new("RGB", (6_000, 4_200))):
        data = picture_bytes(image)
        assert inspect(data).media_type == "image/jpeg"
        assert (inspect(data).width, inspect(data).height) == image.size
    assert isinstance(object_detection(engine)(image), list)


def put_into_mirror(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes the tests' detector to ``model`` and has the catalog's entry of yolox-s promise it."""
    from discern.catalog import pull as room

    write_detector(model)
    shipped = room.entry("yolox-s")
    file = replace(
        shipped.manifest.files[0],
        bytes=model.stat().st_size,
        sha256=room.sha256_of(model),
    )
    folder = tmp_path / "entries"
    folder.mkdir()
    (folder / "yolox-s.toml").write_text(
        shipped.text.replace(shipped.manifest.files[0].sha256, file.sha256)
        .replace(f"bytes = {shipped.manifest.files[0].bytes}", f"bytes = {file.bytes}")
        .replace('family = "yolox"', 'family = "fastestdet"')
        .replace('format = "onnx"', 'format = "onnx"\nlabels = ["blob"]')
    )
    monkeypatch.setattr(room.entry, "__defaults__", (folder,))
    monkeypatch.setattr(
        room.pull, "__kwdefaults__", {**(room.pull.__kwdefaults__ or {}), "folder": folder}
    )


def test_the_first_use_of_the_pipeline_pulls_from_a_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "mirror" / "object_detection_yolox_2022nov.onnx"
    model.parent.mkdir()
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DISCERN_MODEL_MIRROR", str(model.parent))
    engine = LocalEngine(Store(tmp_path / "home"))
    detect = object_detection(engine, pull=True)
    with pytest.raises(ModelNotReady) as offline:
        detect(blob())
    assert "holds neither" in str(offline.value.__cause__)
    put_into_mirror(model, tmp_path, monkeypatch)
    assert detect(blob())[0]["label"] == "blob"
    engine.close()


def test_evaluating_a_model_of_the_catalog_pulls_it_or_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pycocotools")
    images, model = tmp_path / "images", tmp_path / "mirror" / "object_detection_yolox_2022nov.onnx"
    images.mkdir()
    model.parent.mkdir()
    (images / "blob.png").write_bytes(blob())
    annotations = tmp_path / "instances.json"
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [64, 0, 64, 64], "area": 4096}
    truth = {
        "images": [{"id": 1, "file_name": "blob.png", "width": 128, "height": 64}],
        "annotations": [{**box, "iscrowd": 0}],
        "categories": [{"id": 1, "name": "blob"}],
    }
    annotations.write_text(json.dumps(truth))
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DISCERN_MODEL_MIRROR", str(model.parent))
    arguments = ["--images", str(images), "--annotations", str(annotations), "--json", "--model"]
    with pytest.raises(ModelNotReady, match="discern models pull yolox-s"):
        CliRunner().invoke(detection, [*arguments, "yolox-s"], catch_exceptions=False)
    with pytest.raises(ModelNotFound, match="no model 'nobody'"):
        CliRunner().invoke(detection, [*arguments, "nobody"], catch_exceptions=False)
    put_into_mirror(model, tmp_path, monkeypatch)
    done = CliRunner().invoke(detection, [*arguments, "yolox-s"], catch_exceptions=False)
    figures = json.loads(done.stdout)
    assert figures["model"].startswith("yolox-s ")
    assert figures["images"] == 1
    assert Store(tmp_path / "home").find("yolox-s").manifest.labels == ("blob",)


def test_pictures_that_cannot_be_read_are_timed_as_failures_of_their_model(server: str) -> None:
    http = urllib3.PoolManager()

    def failures() -> int:
        stats = json.loads(http.request("GET", f"{server}/v2/models/tiny/stats").data)
        return int(stats["model_stats"][0]["inference_stats"]["fail"]["count"])

    before = failures()
    assert http.request("POST", f"{server}/v1/detect-objects", body=b"hello").status == 415
    assert failures() == before + 1
    assert http.request("POST", f"{server}/v1/read-text", body=b"hello").status == 415
    metrics = http.request("GET", f"{server}/metrics").data.decode()
    assert re.search(r'model_prediction_seconds_count\{model_name="rapidocr".* [1-9]', metrics)
    http.clear()


def test_parameters_of_the_address_are_checked(server: str) -> None:
    http = urllib3.PoolManager()
    for query in ("threshold=high", "colour=red"):
        answer = http.request("POST", f"{server}/v1/detect-objects?{query}", body=blob())
        assert (answer.status, json.loads(answer.data)["error"]["code"]) == (400, "invalid_input")
    metrics = http.request("GET", f"{server}/metrics").data.decode()
    assert 'model_prediction_seconds_count{model_name="tiny"' in metrics
    http.clear()
