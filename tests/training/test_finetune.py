"""Fine-tuning on a user's file, with the shipped bundle and real PyTorch."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from click.testing import CliRunner
from discern_training.sentiment.__main__ import main
from discern_training.sentiment.score import Scorer
from discern_training.sentiment.userdata import DataInvalid, load

from discern.catalog.manifest import load_bundle, verify


def _write(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        writer.writerows(rows)
    return path


def _queues() -> list[tuple[str, str]]:
    things = ["invoice", "card", "charge", "receipt", "payment", "refund", "bill", "price"]
    parts = ["screen", "cable", "motor", "button", "battery", "lid", "wheel", "sensor"]
    rows = [(f"question about the {thing} of {month}", "billing")
            for thing in things for month in ("May", "June")]  # fmt: skip
    return rows + [(f"the {part} of unit {unit} makes a noise", "repair")
                   for part in parts for unit in (4, 7)]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_labels_of_ones_own_are_learned_and_the_bundle_can_be_served(
    tmp_path: Path, shipped: Path
) -> None:
    data, output = _write(tmp_path / "my.csv", _queues()), tmp_path / "out"
    result = CliRunner().invoke(
        main,
        ["finetune", "--data", str(data), "--output", str(output), "--new-labels",
         "--epochs", "12", "--rate", "2e-4", "--name", "queues"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    bundle = load_bundle(output)
    verify(bundle)
    assert bundle.manifest.labels == ("billing", "repair")
    metrics = json.loads((output / "metrics.json").read_text("utf-8"))
    assert metrics["before"] is None
    assert metrics["after"]["accuracy"] == 1.0
    scorer = Scorer(output)
    found = scorer.sentiments(["question about the coupon", "the hinge makes a noise"])
    assert [item.label for item in found] == ["billing", "repair"]
    assert load_bundle(shipped).manifest.name == "sentiment-en"


def test_an_output_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    data = _write(tmp_path / "my.csv", _queues())
    output = tmp_path / "out"
    output.mkdir()
    (output / "precious.txt").write_text("x", encoding="utf-8")
    result = CliRunner().invoke(
        main, ["finetune", "--data", str(data), "--output", str(output), "--new-labels"]
    )
    assert result.exit_code != 0
    assert isinstance(result.exception, FileExistsError)
    assert [path.name for path in output.iterdir()] == ["precious.txt"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("fine", "neutral")] * 30 + [("", "positive")], r"row 32, field 'text': empty"),
        ([("fine", "neutral"), ("good", "")], r"row 3, field 'label': empty"),
        ([("fine", "neutral"), ("good", "postive")], r"row 3, field 'label': 'postive' is not"),
        ([(f"a {i}", "neutral") for i in range(5)], "5 different rows; at least 20"),
        ([(f"a {i}", "neutral") for i in range(25)], "1 labels; 2 to"),
        (
            [(f"a {i}", "neutral") for i in range(25)] + [("b", "positive")],
            "'positive' has 1 rows; at least 5",
        ),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_with_row_and_field(
    tmp_path: Path, rows: list[tuple[str, str]], message: str
) -> None:
    with pytest.raises(DataInvalid, match=message):
        load(_write(tmp_path / "d.csv", rows), new_labels=False, held_out=0.2, seed=1)


def test_a_file_without_the_column_label_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("text,mood\nfine,neutral\n", encoding="utf-8")
    with pytest.raises(DataInvalid, match="no column 'label'"):
        load(path, new_labels=False, held_out=0.2, seed=1)


def test_every_label_is_in_both_parts_and_no_row_in_two(tmp_path: Path) -> None:
    rows = [(f"text {i}", ("negative", "Neutral", "positive")[i % 3]) for i in range(40)]
    data = load(_write(tmp_path / "d.csv", rows * 2), new_labels=False, held_out=0.1, seed=1)
    assert data.has_moods
    assert {label for _, label in data.train} == {label for _, label in data.held_out} == {0, 1, 2}
    assert len(data.train) + len(data.held_out) == 40
    assert not set(data.train) & set(data.held_out)


def test_help_shows_the_file_format_and_what_to_do_next() -> None:
    text = CliRunner().invoke(main, ["finetune", "--help"]).output
    assert "text,label" in text
    assert "discern models install" in text
