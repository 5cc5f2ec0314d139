"""The network, its ONNX graph, and the way back from the graph to the weights."""

# ruff: noqa: E402 - these imports need what the lines before them check for
from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from discern_training.sentiment import sharing
from discern_training.sentiment.batching import collate
from discern_training.sentiment.calibrate import fit_temperature
from discern_training.sentiment.config import Stage, load_recipe
from discern_training.sentiment.data import Example
from discern_training.sentiment.encoder import EncoderSizes, SentimentEncoder
from discern_training.sentiment.graph import build
from discern_training.sentiment.optimize import loss_of
from discern_training.sentiment.products import KINDS, quantize_columns
from discern_training.sentiment.ranges import Activations, activations, steps_of
from discern_training.sentiment.train import weighted
from discern_training.sentiment.weights import read_kind, read_weights

SIZES = EncoderSizes(vocabulary=200, positions=64, width=128, inner=256, heads=4, layers=2)
RECIPE = Path(__file__).parents[2] / "training" / "sentiment.toml"


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    return SentimentEncoder(SIZES).eval()


def _state(model):
    return {key: value.detach().numpy() for key, value in model.state_dict().items()}


def _build(model, path: Path, kind: str) -> Path:
    """A graph with the ranges that its kind needs, measured on random texts."""
    state = _state(model)
    ids, mask = _texts(40, 30)
    rows = [row[: int(size)] for row, size in zip(ids, mask.sum(1), strict=True)]
    found = activations(state, rows)
    steps = {name: steps_of(item, state[f"{name}.weight"]) for name, item in found.items()}
    if kind == "static":
        steps = {name: np.float32(item.largest.max() / 127) for name, item in found.items()}
    build(state, path, kind=kind, steps=steps)
    return path


def _run(path: Path, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"input_ids": ids, "attention_mask": mask})[0]


def _texts(count: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
    rng = Random(5)
    ids = np.zeros((count, longest), np.int64)
    mask = np.zeros_like(ids)
    for row in range(count):
        size = longest if row == 0 else rng.randint(3, longest)
        ids[row, :size] = [rng.randrange(1, 200) for _ in range(size)]
        mask[row, :size] = 1
    return ids, mask


def test_the_float_graph_computes_what_the_network_computes(model, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    build(_state(model), path, kind="float", byte_table=False)
    ids, mask = _texts(6, 17)
    with torch.no_grad():
        expected = model(torch.tensor(ids), torch.tensor(mask)).numpy()
    np.testing.assert_allclose(_run(path, ids, mask), expected, atol=2e-5)


@pytest.mark.parametrize("kind", ["rows", "channels", "static", "blocks8"])
def test_eight_bit_graphs_stay_close_to_the_network(model, tmp_path: Path, kind: str) -> None:
    path = _build(model, tmp_path / "m.onnx", kind)
    ids, mask = _texts(6, 17)
    with torch.no_grad():
        expected = model(torch.tensor(ids), torch.tensor(mask)).numpy()
    np.testing.assert_allclose(_run(path, ids, mask), expected, atol=0.02)


@pytest.mark.parametrize("kind", ["rows", "channels", "float"])
def test_a_text_is_answered_alike_alone_and_beside_others(model, tmp_path, kind: str) -> None:
    path = _build(model, tmp_path / "m.onnx", kind)
    ids, mask = _texts(8, 30)
    together = _run(path, ids, mask)
    for row in range(len(ids)):
        size = int(mask[row].sum())
        alone = _run(path, ids[row : row + 1, :size], mask[row : row + 1, :size])
        np.testing.assert_allclose(together[row], alone[0], atol=1e-5)


@pytest.mark.parametrize("kind", ["rows", "channels", "static"])
def test_weights_read_back_from_a_graph_are_those_it_was_built_from(
    model, tmp_path: Path, kind: str
) -> None:
    weights = read_weights(_build(model, tmp_path / "m.onnx", kind))
    state = _state(model)
    assert set(weights) == set(state)
    for name, value in state.items():
        # Half a code; where channels share a row's codes, half one of the largest channel's.
        atol = np.abs(value).max() / (50 if kind == "channels" else 250)
        np.testing.assert_allclose(weights[name], value, atol=atol, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_a_graph_is_told_from_its_file(model, tmp_path: Path, kind: str) -> None:
    assert read_kind(_build(model, tmp_path / "m.onnx", kind)) == kind


def test_a_channel_ten_times_as_large_as_the_others_does_not_cost_them_their_precision() -> None:
    rng = np.random.default_rng(1)
    sample = rng.normal(size=(500, 64)).astype(np.float32)
    sample[:, 7] *= 30
    weight = rng.normal(size=(32, 64)).astype(np.float32)
    steps = steps_of(Activations(np.abs(sample).max(0), sample), weight)
    exact = sample @ weight.T

    def off(steps: np.ndarray) -> float:
        codes, scale = quantize_columns(weight * steps)
        found = np.clip(np.rint(sample / steps), -128, 127) @ (codes * scale[:, None]).T
        return float(np.square(found - exact).mean() / np.square(exact).mean())

    assert steps.shape == (64,)
    assert off(steps) < off(np.full(64, np.abs(sample).max() / 127, np.float32)) / 4
    assert off(steps) < 1e-3


@pytest.mark.parametrize("kind", ["channels", "static"])
def test_a_kind_with_fixed_ranges_is_refused_without_them(model, tmp_path, kind: str) -> None:
    with pytest.raises(ValueError, match="steps"):
        build(_state(model), tmp_path / "m.onnx", kind=kind)


def test_an_unknown_kind_of_product_is_refused(model, tmp_path: Path) -> None:
    assert "rows" in KINDS
    with pytest.raises(ValueError, match="kind"):
        build(_state(model), tmp_path / "m.onnx", kind="three bits")


def test_words_that_share_an_embedding_cannot_move_the_answer(model, tmp_path: Path) -> None:
    state = {key: value.clone() for key, value in model.state_dict().items()}
    rows = [[10, 11, 12], [20, 21]]
    sharing.merge(state["words.weight"], rows)
    sharing.spread(state["words.weight"], rows)
    path = tmp_path / "m.onnx"
    build({key: value.numpy() for key, value in state.items()}, path, kind="rows")
    ids = np.array([[1, 10, 5, 20], [1, 11, 5, 21], [1, 12, 5, 20]], np.int64)
    logits = _run(path, ids, np.ones_like(ids))
    np.testing.assert_array_equal(logits[0], logits[1])
    np.testing.assert_array_equal(logits[0], logits[2])
    table = sharing.table(rows, 30)
    assert [table[i] for i in (10, 11, 12, 20, 21, 5)] == [10, 10, 10, 20, 20, 5]


def test_two_class_sets_say_nothing_about_neutral() -> None:
    batch = collate([([1, 2], None, Example("t", 2, "sst2", two_class=True))])
    logits = torch.tensor([[0.3, 5.0, 1.0]], requires_grad=True)
    loss_of(logits, batch, Stage("s", 1)).backward()
    assert logits.grad is not None
    assert logits.grad[0, 1].abs() < 1e-6
    assert logits.grad[0, 2] < 0


def test_twins_that_disagree_cost_more_than_twins_that_agree() -> None:
    batch = collate([([1, 2], [1, 3], Example("t", 1, "x"))])
    assert (batch.texts, batch.twins) == (1, 1)
    stage = Stage("s", 1, consistency=2.0)
    alike = loss_of(torch.tensor([[0.0, 1.0, 0.0]] * 2), batch, stage)
    apart = loss_of(torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 3.0]]), batch, stage)
    assert apart > alike


def test_a_text_read_twice_counts_once_and_its_two_answers_are_weighed_by_alike() -> None:
    once = collate([([1, 2], None, Example("t", 1, "sst2"))])
    twice = collate([([1, 2], [1, 2], Example("t", 1, "sst2"))])
    stage = Stage("s", 1, consistency=9.0, alike=1.0)
    logits = torch.tensor([[0.0, 1.0, 0.0]])
    torch.testing.assert_close(
        loss_of(torch.cat([logits, logits]), twice, stage), loss_of(logits, once, stage)
    )
    apart = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 3.0]])
    weighed = [loss_of(apart, twice, Stage("s", 1, alike=w, consistency=9.0)) for w in (0.0, 1.0)]
    p = apart.log_softmax(1)
    gap = ((p[0].exp() - p[1].exp()) * (p[0] - p[1])).sum()
    torch.testing.assert_close(weighed[1] - weighed[0], gap)


def test_a_weighted_start_adds_what_one_pass_learned_and_keeps_the_first_head() -> None:
    states = [
        {"layers.w": torch.tensor([v]), "head.weight": torch.tensor([v])} for v in (1.0, 5, 2)
    ]
    found = weighted(states, [1.0, 0.5, -0.5])
    assert (found["layers.w"].item(), found["head.weight"].item()) == (2.5, 1.0)
    assert weighted(states[:2], [0.5, 0.5])["head.weight"].item() == 3.0


def test_the_temperature_of_overconfident_logits_is_found() -> None:
    rng = np.random.default_rng(1)
    true = rng.normal(size=(4000, 3)).astype(np.float32)
    odds = np.exp(true) / np.exp(true).sum(1, keepdims=True)
    labels = np.array([rng.choice(3, p=row / row.sum()) for row in odds.astype(np.float64)])
    assert fit_temperature([(3 * true, labels)]) == pytest.approx(3.0, rel=0.15)


def test_the_shipped_recipe_reads_and_a_misspelt_key_is_named(tmp_path: Path) -> None:
    assert load_recipe(RECIPE).stages[-1].share
    path = tmp_path / "r.toml"
    path.write_text('[[stage]]\nname = "a"\nepochs = 1\nrat = 2.0\n', encoding="utf-8")
    with pytest.raises(ValueError, match="rat"):
        load_recipe(path)
    path.write_text(
        '[[stage]]\nname = "a"\nepochs = 1\nstart = { pretrained = 1.0, b = 1.0 }\n',
        encoding="utf-8",
    )
    with pytest.raises(ValueError, match="'b'"):
        load_recipe(path)
