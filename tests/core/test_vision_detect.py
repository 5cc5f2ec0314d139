"""Detectors: each family's decoding and suppression."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discern.catalog.pull import entry
from discern.errors import BundleInvalid, InvalidInput, TooLarge
from discern.inference.contract import TensorInfo
from discern.vision.contract import OpenedImage
from discern.vision.detect import Detector
from discern.vision.detectors.decode import Candidates, places
from discern.vision.detectors.families import FAMILIES, family_named, recognize
from discern.vision.detectors.labels import COCO_LABELS
from discern.vision.detectors.prepare import prepare
from discern.vision.detectors.suppress import overlaps, suppress
from discern.vision.evaluate import match_categories
from tests.core.boxes import one_overlap

LABELS = tuple(f"thing {number}" for number in range(80))
SIZE = (416, 416)


@dataclass
class KnownAnswers:
    """A session that answers what it was told to, for as many pictures as it is given."""

    answers: Sequence[np.ndarray]
    batch: int = 1
    size: tuple[int, int] = SIZE
    runs: int = 0

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        return (TensorInfo("image", "float32", (self.batch, 3, *self.size)),)

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        return tuple(
            TensorInfo(f"out{index}", "float32", (self.batch, *answer.shape))
            for index, answer in enumerate(self.answers)
        )

    def run(self, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        self.runs += 1
        count = len(feeds["image"])
        return [np.repeat(answer[None], count, axis=0) for answer in self.answers]


def picture(width: int = 832, height: int = 832) -> OpenedImage:
    pixels = np.full((height // 2, width // 2, 3), 90, dtype=np.uint8)
    return OpenedImage(pixels, width, height, "PNG", 1)


def yolox_answer(box: tuple[float, float, float, float], label: int) -> list[np.ndarray]:
    rows = np.zeros((places(SIZE, (8, 16, 32)), 85), dtype=np.float32)
    cell_x, cell_y, stride = 5, 7, 16
    row = 52 * 52 + cell_y * 26 + cell_x
    center = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    rows[row, 0] = center[0] / stride - cell_x
    rows[row, 1] = center[1] / stride - cell_y
    rows[row, 2:4] = np.log([(box[2] - box[0]) / stride, (box[3] - box[1]) / stride])
    rows[row, 4], rows[row, 5 + label] = 0.9, 0.8
    return [rows]


def distribution_answer(
    box: tuple[float, float, float, float],
    label: int,
    origin: float,
    levels: Sequence[int] = (8, 16, 32, 64),
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    scores, sides = [], []
    for stride in levels:
        cells = -(-SIZE[0] // stride)
        scores.append(np.zeros((cells * cells, 80), dtype=np.float32))
        sides.append(np.zeros((cells * cells, 32), dtype=np.float32))
    cell_x, cell_y, stride = 3, 4, 32
    row = cell_y * 13 + cell_x
    x, y = (cell_x + origin) * stride, (cell_y + origin) * stride
    scores[2][row, label] = 0.72
    for side, distance in enumerate((x - box[0], y - box[1], box[2] - x, box[3] - y)):
        low = int(distance / stride)
        part = distance / stride - low
        bins = np.full(8, -50.0)
        bins[low], bins[low + 1] = math.log(1 - part + 1e-9), math.log(part + 1e-9)
        sides[2][row, side * 8 : side * 8 + 8] = bins
    return scores, sides


def fastestdet_answer(box: tuple[float, float, float, float], label: int) -> list[np.ndarray]:
    grid = np.zeros((85, 26, 26), dtype=np.float32)
    grid[3:5] = -4
    center = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]) / 16
    cell_x, cell_y = (int(part) for part in center)
    offset = np.arctanh(center - (cell_x, cell_y))
    share = np.array([box[2] - box[0], box[3] - box[1]]) / 416
    grid[1:3, cell_y, cell_x] = offset
    grid[3:5, cell_y, cell_x] = np.log(share / (1 - share))
    grid[0, cell_y, cell_x], grid[5 + label, cell_y, cell_x] = 0.9, 0.8
    return [grid]


def answers(family: str, box: tuple[float, float, float, float], label: int) -> list[np.ndarray]:
    if family == "yolox":
        return yolox_answer(box, label)
    if family == "fastestdet":
        return fastestdet_answer(box, label)
    if family == "nanodet-m":
        scores, sides = distribution_answer(box, label, 0.5, (8, 16, 32))
    else:
        scores, sides = distribution_answer(box, label, 0.5 if family == "picodet" else 0.0)
    if family == "picodet":
        return scores + sides
    return [part for pair in zip(scores, sides, strict=True) for part in pair]


@pytest.mark.parametrize("family", list(FAMILIES))
@given(
    left=st.floats(20, 90), top=st.floats(60, 110), right=st.floats(130, 200),
    bottom=st.floats(170, 250), label=st.integers(0, 79),
)  # fmt: skip
@settings(max_examples=20, deadline=None)
def test_a_box_put_into_the_outputs_comes_back_in_picture_pixels(
    family: str, left: float, top: float, right: float, bottom: float, label: int
) -> None:
    session = KnownAnswers(answers(family, (left, top, right, bottom), label))
    detector = Detector(session, FAMILIES[family], LABELS, name="known", version="1")
    [result] = detector.detect([picture()], threshold=0.3)
    [found] = result.objects
    assert found.label == f"thing {label}"
    assert found.score == pytest.approx(0.72, abs=1e-4)
    expected = [2 * value for value in (left, top, right, bottom)]
    assert [found.box.xmin, found.box.ymin, found.box.xmax, found.box.ymax] == pytest.approx(
        expected, abs=0.1
    )


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_picture_of_nothing_has_no_objects(family: str) -> None:
    session = KnownAnswers(answers(family, (50, 70, 150, 180), 3))
    detector = Detector(session, FAMILIES[family], LABELS, name="known", version="1")
    [result] = detector.detect([picture()], threshold=0.95)
    assert result.objects == ()


@pytest.mark.parametrize("family", list(FAMILIES))
def test_each_family_is_recognized_from_its_outputs(family: str) -> None:
    shapes = [(1, *answer.shape) for answer in answers(family, (50, 70, 150, 180), 1)]
    assert recognize(shapes, SIZE).name == family


def test_joined_nanodet_outputs_are_recognized_and_read() -> None:
    scores, sides = distribution_answer((40, 70, 170, 210), 4, 0.0)
    joined = np.concatenate([np.concatenate(scores), np.concatenate(sides)], axis=1)
    assert recognize([(1, *joined.shape)], SIZE).name == "nanodet"
    detector = Detector(
        KnownAnswers([joined]), FAMILIES["nanodet"], LABELS, name="known", version="1"
    )
    [found] = detector.detect([picture()])[0].objects
    assert (found.label, round(found.box.xmax)) == ("thing 4", 340)


def test_outputs_of_no_family_are_refused_by_name() -> None:
    with pytest.raises(BundleInvalid, match="yolox, picodet, nanodet, nanodet-m, fastestdet"):
        recognize([(1, 1000)], SIZE)
    with pytest.raises(BundleInvalid):
        family_named("yolo99")
    with pytest.raises(BundleInvalid):
        family_named("yolox", {"color": "green"})


def test_a_model_that_takes_batches_is_given_them() -> None:
    session = KnownAnswers(yolox_answer((50, 70, 150, 180), 3), batch=-1)
    detector = Detector(session, FAMILIES["yolox"], LABELS, name="known", version="1")
    results = detector.detect([picture() for _ in range(11)])
    assert session.runs == 2
    assert [len(result.objects) for result in results] == [1] * 11


def test_letterboxed_pictures_keep_their_proportions() -> None:
    tensor, placement = prepare(picture(832, 416), SIZE, FAMILIES["yolox"].preparation)
    assert (placement.scale_x, placement.scale_y) == (2.0, 2.0)
    assert (tensor[:, 208:] == 114).all()
    assert (tensor[:, :208] == 90).all()


@pytest.mark.parametrize("width", [832, 416])
def test_a_box_of_a_picture_in_the_middle_of_the_input_comes_back_in_its_own_pixels(
    width: int,
) -> None:
    height = 1248 - width
    how = FAMILIES["nanodet-m"].preparation
    tensor, placement = prepare(picture(width, height), SIZE, how)
    black = [-mean / std for mean, std in zip(how.mean, how.std, strict=True)]
    assert tensor[:, 0, 0] == pytest.approx(black)
    assert tensor[:, -1, -1] == pytest.approx(black)
    assert tensor[:, 208, 208] == pytest.approx(
        [(90 - mean) / std for mean, std in zip(how.mean, how.std, strict=True)], abs=1e-5
    )
    assert (placement.left, placement.top) == ((0, 104) if width > height else (104, 0))
    session = KnownAnswers(answers("nanodet-m", (110, 120, 170, 240), 3))
    detector = Detector(session, FAMILIES["nanodet-m"], LABELS, name="known", version="1")
    [found] = detector.detect([picture(width, height)])[0].objects
    left, top = placement.left, placement.top
    expected = [2 * (110 - left), 2 * (120 - top), 2 * (170 - left), 2 * (240 - top)]
    assert list(found.box.to_dict().values()) == pytest.approx(expected, abs=0.1)


def test_each_family_takes_its_colors_as_its_weights_were_trained() -> None:
    # The demonstrations of opencv_zoo use RGB throughout; see the docstring of families.py.
    colors = {name: family.preparation.color for name, family in FAMILIES.items()}
    expected = dict.fromkeys(("yolox", "nanodet", "nanodet-m", "fastestdet"), "bgr")
    assert colors == expected | {"picodet": "rgb"}
    pixels = np.zeros((416, 416, 3), dtype=np.uint8)
    pixels[:, :, 0] = 200
    red = OpenedImage(pixels, 416, 416, "PNG", 1)
    tensor, _ = prepare(red, SIZE, FAMILIES["yolox"].preparation)
    assert [plane.mean() for plane in tensor] == [0, 0, 200]


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("yolox-s", [(1, 8400, 85)]),
        ("nanodet-m", [(1, n * n, k) for n in (52, 26, 13) for k in (80, 32)]),
    ],
)
def test_the_catalog_s_detectors_are_of_the_family_that_their_files_outputs_tell(
    name: str, outputs: list[tuple[int, ...]]
) -> None:
    table = entry(name).manifest.preprocessing
    assert recognize(outputs, tuple(table["size"])).name == table["family"]


def test_boxes_are_cut_at_the_edge_of_the_picture() -> None:
    session = KnownAnswers(yolox_answer((-40, -20, 200, 260), 3))
    detector = Detector(session, FAMILIES["yolox"], LABELS, name="known", version="1")
    [found] = detector.detect([picture(832, 400)])[0].objects
    assert (found.box.xmin, found.box.ymin, found.box.ymax) == (0, 0, 400)


def test_limits_are_kept() -> None:
    session = KnownAnswers(yolox_answer((50, 70, 150, 180), 3))
    detector = Detector(session, FAMILIES["yolox"], LABELS, name="known", version="1")
    for threshold in (0, 1, -1, "a", None):
        with pytest.raises(InvalidInput, match="threshold"):
            detector.detect([picture()], threshold=threshold)  # type: ignore[arg-type]
    with pytest.raises(TooLarge):
        detector.detect([picture()] * 65)
    short = Detector(session, FAMILIES["yolox"], LABELS[:3], name="known", version="1")
    with pytest.raises(BundleInvalid, match="80 classes but 3 labels"):
        short.detect([picture()])


corner = st.tuples(st.floats(0, 90), st.floats(0, 90), st.floats(1, 60), st.floats(1, 60))


@given(
    raw=st.lists(corner, min_size=1, max_size=25),
    seed=st.integers(0, 1_000),
    every_class=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_suppression_equals_the_textbook_loop(
    raw: list[tuple[float, ...]], seed: int, every_class: bool
) -> None:
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in raw], dtype=np.float32)
    scores = np.random.default_rng(seed).permutation(len(raw) * 3).reshape(-1, 3) / (len(raw) * 3)
    scores = scores.astype(np.float32)
    found = Candidates(boxes, scores)
    kept, values, classes = suppress(
        found, threshold=0.2, max_overlap=0.5, every_class=every_class, limit=100
    )
    pool = [
        (float(scores[place, label]), label, boxes[place].tolist())
        for place in range(len(raw))
        for label in range(3)
        if (scores[place, label] >= 0.2 if every_class else label == scores[place].argmax())
    ]
    expected: list[tuple[float, int, list[float]]] = []
    for item in sorted(pool, key=lambda row: -row[0]):
        rivals = [other for other in expected if other[1] == item[1]]
        if all(one_overlap(other[2], item[2]) <= 0.5 for other in rivals):
            expected.append(item)
    assert classes.tolist() == [label for _, label, _ in expected]
    assert values.tolist() == pytest.approx([score for score, _, _ in expected])
    assert kept.tolist() == [box for _, _, box in expected]


@pytest.mark.parametrize("every_class", [True, False])
def test_few_boxes_one_by_one_and_many_at_once_are_suppressed_alike(
    monkeypatch: pytest.MonkeyPatch, every_class: bool
) -> None:
    random = np.random.default_rng(7)
    middle, half = random.uniform(0, 80, (40, 2)), random.uniform(-2, 30, (40, 2))
    boxes = np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)
    found = Candidates(boxes, random.uniform(0, 1, (40, 2)).astype(np.float32))
    answers = []
    for few in (0, 10_000):
        monkeypatch.setattr("discern.vision.detectors.suppress.FEW", few)
        answer = suppress(found, threshold=0.4, max_overlap=0.3, every_class=every_class, limit=100)
        answers.append([part.tolist() for part in answer])
    assert answers[0] == answers[1]
    assert 5 < len(answers[0][0]) < 45


def test_overlap_of_empty_boxes_is_zero() -> None:
    boxes = np.array([[0, 0, 0, 0], [5, 5, 4, 4], [0, 0, 2, 2]], dtype=np.float32)
    assert overlaps(boxes).tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 1]]


def test_categories_match_by_name_or_by_position() -> None:
    spelled = [{"id": number + 1, "name": name} for number, name in enumerate(COCO_LABELS)]
    spelled[4]["name"] = "aeroplane"
    assert match_categories(COCO_LABELS, spelled)["airplane"] == 5
    few = [{"id": 7, "name": "cat"}, {"id": 9, "name": "unicorn"}]
    assert match_categories(COCO_LABELS, few) == {"cat": 7}
    with pytest.raises(InvalidInput):
        match_categories(COCO_LABELS, [{"id": 1, "name": "unicorn"}])
