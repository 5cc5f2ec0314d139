"""Reads the text in opened pictures with the models inside the rapidocr package.

The models are PP-OCR's (PaddleOCR, Apache-2.0): one finds lines, one turns those upside down, one
reads them. They lie in the installed package, so nothing is downloaded and nothing is written.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata, util
from pathlib import Path
from typing import Any, Final

import numpy as np

from discern.errors import InferenceFailed, MissingExtra
from discern.vision.contract import OpenedImage, Quad, TextLine, TextResult, TextWord

MODEL_NAME: Final = "rapidocr"
DEFAULT_TEXT_SCORE: Final = 0.5
DETECTION_SIDE: Final = 1_280
"""The longest side, in pixels, at which lines are looked for; they are read at full size."""

MOST_KEPT_PIXELS: Final = 1_280 * 1_024
"""Looking for lines in more takes memory that is not kept: sheets of paper and what cameras take
are narrower."""

MAX_LINES: Final = 300
_MODELS: Final = {"Det": "*_det_*.onnx", "Rec": "*_rec_*.onnx", "Cls": "*_cls_*.onnx"}


class TextReader:
    """Words and lines of a picture. The models load at the first picture, or at :meth:`load`.

    Calls from several threads share a few copies of the models, for none may be used by two at
    once. A further copy is loaded only when a call finds all others busy. A copy keeps the memory
    that its largest picture needed: 100 MB for the models, 90 MB more from 640 x 480 pixels on
    and 240 MB from 1280 x 960, past which nothing grows. What a squarer one needs, 380 MB at
    1280 x 1280, is given back after it, and cost it a third more processor time; after each
    picture that would cost a quarter to a half.

    Args:
        threads: how many processors one call may use.
        copies: the most copies, and so the most pictures read at once.
    """

    def __init__(self, *, threads: int = 1, copies: int = 1) -> None:
        self._threads = threads
        self._copies = copies
        self._change = threading.Condition()
        self._opening = threading.Lock()
        self._idle: list[Any] = []
        self._made = 0
        self._loaded = False
        self.name = MODEL_NAME
        self.version = metadata.version("rapidocr") if self.installed() else ""

    @staticmethod
    def installed() -> bool:
        """Whether the ``vision`` extra is there."""
        return util.find_spec("rapidocr") is not None

    @property
    def loaded(self) -> bool:
        """Whether the models are in memory."""
        return self._loaded

    def load(self) -> None:
        """Loads the models (one to two seconds).

        Raises:
            MissingExtra: rapidocr is not installed, or its package holds no models.
        """
        with self._borrowed():
            pass

    def read(self, image: OpenedImage, *, threshold: float = DEFAULT_TEXT_SCORE) -> TextResult:
        """The text of a picture in reading order.

        Args:
            threshold: the least confidence of a line, from 0 to 1.

        Raises:
            MissingExtra: as :meth:`load`.
            InferenceFailed: the models failed on this picture.
        """
        with self._borrowed() as engine:
            try:
                answer = engine(np.ascontiguousarray(image.pixels[:, :, ::-1]))
            except Exception as error:
                raise InferenceFailed(f"Reading the text failed: {error}") from error
        found = [line for line in _lines(answer, image) if line.score >= threshold]
        rows = reading_rows(found)
        return TextResult(
            text="\n".join(" ".join(line.text for line in row) for row in rows),
            lines=tuple(line for row in rows for line in row),
            width=image.width,
            height=image.height,
            model_name=self.name,
            model_version=self.version,
        )

    @contextmanager
    def _borrowed(self) -> Iterator[Any]:
        engine = self._take()
        try:
            yield engine
        finally:
            with self._change:
                self._idle.append(engine)
                self._change.notify()

    def _take(self) -> Any:
        with self._change:
            self._change.wait_for(lambda: self._idle or self._made < self._copies)
            if self._idle:
                return self._idle.pop()
            self._made += 1
        try:
            with self._opening:
                engine = _open_engine(self._threads)
        except BaseException:
            with self._change:
                self._made -= 1
                self._change.notify()
            raise
        self._loaded = True
        return engine


def _open_engine(threads: int) -> Any:
    if not TextReader.installed():
        raise MissingExtra("Reading text needs: pip install 'discern[vision]'.")
    import cv2
    from rapidocr import RapidOCR

    cv2.setNumThreads(threads)
    settings: dict[str, Any] = {
        # Named files keep the package from looking for, or downloading, others.
        **{f"{part}.model_path": str(_model_file(part)) for part in _MODELS},
        "Global.log_level": "critical",
        "Global.return_word_box": True,
        "Global.text_score": 0.0,
        "Det.limit_type": "max",
        "Det.limit_side_len": DETECTION_SIDE,
        "Det.max_candidates": MAX_LINES,
        "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        # Lines read together are padded to the longest: alone they take no more time in sum.
        "Rec.rec_batch_num": 1,
    }
    engine = RapidOCR(params=settings)
    # The parts load when first needed; a canary with a line in it makes a broken package known
    # here and not at a person's first picture.
    canary = np.full((64, 160, 3), 255, dtype=np.uint8)
    cv2.putText(canary, "OK", (40, 48), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (0, 0, 0), 3)
    if not getattr(engine(canary), "txts", None):
        raise MissingExtra("The installed rapidocr package reads no text; install it anew.")
    _prepare_plane_by_plane(engine.text_det, cv2)
    _keep_memory(engine.text_det, threads)
    return engine


def _keep_memory(finder: Any, threads: int) -> None:
    """Lets the line finder keep its memory between runs; the package has it fetched from the
    system anew, and cleared, each time: a quarter of the time at 640 pixels, half at 1280. What
    only the largest need is given back."""
    from discern.inference.session import open_session

    session = open_session(_model_file("Det"), threads=threads)
    name = session.inputs[0].name

    def run(tensor: Any) -> Any:
        large = tensor.shape[2] * tensor.shape[3] > MOST_KEPT_PIXELS
        return (session.run_and_shrink if large else session.run)({name: tensor})[0]

    finder.session = run


def _prepare_plane_by_plane(finder: Any, cv2: Any) -> None:
    """Makes the line finder's input in two passes over each color's plane; the package makes six
    over all of them at once, two in float64."""
    half = [0.5] * 3
    factors = 1 / (255 * np.asarray(finder.std or half))
    offsets = np.asarray(finder.mean or half) / np.asarray(finder.std or half)
    resize = finder.get_preprocess().resize

    def prepare(image: Any) -> Any:
        resized = resize(image)
        if resized is None:
            return None
        tensor = np.empty((1, 3, *resized.shape[:2]), dtype=np.float32)
        for plane, values, factor, offset in zip(
            tensor[0], cv2.split(resized), factors, offsets, strict=True
        ):
            np.multiply(values, np.float32(factor), out=plane, dtype=np.float32)
            plane -= np.float32(offset)
        return tensor

    finder.get_preprocess = lambda: prepare


def _model_file(part: str) -> Path:
    spec = util.find_spec("rapidocr")
    folder = Path(spec.origin).parent / "models" if spec and spec.origin else Path()
    files = sorted(folder.glob(_MODELS[part]))
    if not files:
        raise MissingExtra(
            "The installed rapidocr package holds no models; install rapidocr 3.4 or later."
        )
    return files[-1]


def _lines(answer: Any, image: OpenedImage) -> list[TextLine]:
    texts = getattr(answer, "txts", None)
    boxes = getattr(answer, "boxes", None)
    if not texts or boxes is None:
        return []
    words = answer.word_results
    if len(words) != len(texts):
        words = [()] * len(texts)
    return [
        TextLine(
            text=str(text).strip(),
            score=min(float(score), 1.0),
            quad=_quad(box, image),
            words=tuple(
                TextWord(str(word), min(float(certainty), 1.0), _quad(corners, image))
                for word, certainty, corners in parts or ()
                if corners is not None
            ),
        )
        for text, score, box, parts in zip(texts, answer.scores, boxes, words, strict=True)
    ]


def _quad(corners: Any, image: OpenedImage) -> Quad:
    points = np.asarray(corners, dtype=np.float64) * (image.scale_x, image.scale_y)
    points = np.clip(points, 0, (image.width, image.height)).tolist()
    first, second, third, fourth = (tuple(point) for point in points)
    return (first, second, third, fourth)


def reading_rows(lines: list[TextLine]) -> list[list[TextLine]]:
    """Groups lines that stand side by side, top to bottom, and each group left to right.

    Two lines share a row when their middles are less than half the smaller height apart. Columns
    are not told from rows: a page set in columns is read across.
    """
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=_middle):
        if rows and _beside(rows[-1][-1], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: min(x for x, _ in line.quad)) for row in rows]


def _middle(line: TextLine) -> float:
    return sum(y for _, y in line.quad) / 4


def _height(line: TextLine) -> float:
    return max(y for _, y in line.quad) - min(y for _, y in line.quad)


def _beside(first: TextLine, second: TextLine) -> bool:
    return abs(_middle(first) - _middle(second)) < min(_height(first), _height(second)) / 2
