"""`optimize`: a bundle's graph written anew from its own weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from click.testing import CliRunner
from discern_training.sentiment import swaps
from discern_training.sentiment.__main__ import main
from discern_training.sentiment.bundle import renew_manifest
from discern_training.sentiment.graph import build
from discern_training.sentiment.products import AFTER_GELU
from discern_training.sentiment.score import Scorer
from discern_training.sentiment.weights import read_kind, read_weights

from discern.catalog.manifest import load_bundle, verify
from discern.errors import BundleInvalid

JOINING = swaps._joining()
TEXTS = [
    "The parcel came a day early and the box was spotless.",
    "Where is my invoice for March?",
    "Third time it broke. I want my money back!!",
    "NOT what I ordered :(",
    "It is a phone.",
    "The first hour drags, but then the story takes off and never lets go. " * 12,
]


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory, shipped: Path) -> Path:
    """The shipped bundle with the graph of an earlier version."""
    folder = tmp_path_factory.mktemp("earlier") / "bundle"
    shutil.copytree(shipped, folder)
    weights = read_weights(folder / "model.onnx")
    build(weights, folder / "model.onnx", kind="rows")
    renew_manifest(folder)
    return folder


@pytest.fixture(scope="module")
def optimized(earlier: Path) -> Path:
    folder = earlier.with_name("optimized")
    shutil.copytree(earlier, folder)
    result = CliRunner().invoke(main, ["optimize", str(folder), "--version", "9.9.9"])
    assert result.exit_code == 0, result.output
    return folder


def test_the_bundle_is_whole_and_says_its_new_version(optimized: Path, shipped: Path) -> None:
    bundle, before = load_bundle(optimized), load_bundle(shipped)
    verify(bundle)
    assert bundle.manifest.version == "9.9.9"
    assert bundle.manifest.labels == before.manifest.labels
    assert bundle.manifest.preprocessing == before.manifest.preprocessing
    assert read_kind(optimized / "model.onnx") == "channels"
    assert not list(optimized.glob("*.part"))


def test_the_answers_stay_what_they_were(optimized: Path, earlier: Path) -> None:
    before = Scorer(earlier.with_name("optimized"))
    before.open(earlier / "model.onnx")
    gap = np.abs(before.probabilities(TEXTS) - Scorer(optimized).probabilities(TEXTS))
    # Two roundings to 8 bits, either of which is up to 0.04 away from the weights in 32.
    assert gap.max() < 0.08
    assert gap.mean() < 0.015


def test_a_text_is_answered_alike_alone_and_beside_others(optimized: Path) -> None:
    scorer = Scorer(optimized)
    together = scorer.probabilities(TEXTS)
    for text, row in zip(TEXTS, together, strict=True):
        assert np.abs(scorer.probabilities([text])[0] - row).max() < 1e-4


def test_what_is_up_to_date_is_left_byte_for_byte(optimized: Path) -> None:
    before = (optimized / "model.onnx").read_bytes()
    result = CliRunner().invoke(main, ["optimize", str(optimized)])
    assert result.exit_code == 0, result.output
    assert (optimized / "model.onnx").read_bytes() == before
    assert load_bundle(optimized).manifest.version == "9.9.9"


def test_only_products_with_fixed_ranges_round_their_weights_anew(
    optimized: Path, earlier: Path
) -> None:
    before = read_weights(earlier / "model.onnx")
    for name, value in read_weights(optimized / "model.onnx").items():
        product = name.removesuffix(".weight")
        fixed = product != name and product.endswith((".qkv", ".attention_out", ".up"))
        assert product.endswith(AFTER_GELU) or fixed or np.array_equal(value, before[name]), name
        off = np.linalg.norm(value - before[name]) / np.linalg.norm(before[name])
        assert off < (0.03 if fixed else 1e-6), name


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["optimize", str(tmp_path)])
    assert isinstance(result.exception, BundleInvalid)


def test_widening_lets_a_new_word_share_and_leaves_texts_without_it_as_they_were(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Scorer(shipped)
    monkeypatch.setattr(swaps, "_joining", lambda: [*JOINING, ("zyxwvut", "names")])
    output = tmp_path / "wide"
    result = CliRunner().invoke(main, ["widen", str(shipped), "--output", str(output)])
    assert result.exit_code == 0, result.output
    verify(load_bundle(output))
    after = Scorer(output)
    named = [f"i met {name} at the bad, bad station." for name in ("james", "zyxwvut")]
    assert not np.allclose(*before.probabilities(named), atol=1e-6)
    assert np.array_equal(*after.probabilities(named))
    assert np.allclose(before.probabilities(TEXTS), after.probabilities(TEXTS), atol=0.02)
    again = CliRunner().invoke(main, ["widen", str(shipped), "--output", str(output)])
    assert isinstance(again.exception, FileExistsError)
