"""The command line, with the shipped model."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from discern.cli import cli
from discern.errors import DiscernError
from tests.doors.inputs import GOOD_TEXTS
from tests.fakes.bundles import sentiment_store


def run(*arguments: str, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(cli, arguments, input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit | DiscernError):
        raise result.exception
    return result


def commands(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """The command itself, and all below it, with what is typed to reach each."""
    yield name.strip(), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from commands(found, f"{name} {child}")


# `manage` hands everything on to Django, --help too.
HELPFUL = {name: command for name, command in commands(cli) if name != "manage"}


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    rows = [f'{n},"I love it, really number {n}."' for n in range(700)]
    rows[5] = "5,   "
    path.write_text("id,review\n" + "\n".join(rows) + "\n", encoding="utf-8-sig")
    return path


def test_a_text_is_answered_on_one_line_with_shape_word_and_score() -> None:
    line = run("analyze", "I love how quick this is.").stdout
    assert line.startswith("▲ positive 0.")
    assert "I love how quick this is." in line


@pytest.mark.parametrize("text", GOOD_TEXTS)
def test_any_good_text_is_answered_as_json(text: str) -> None:
    result = run("analyze", "--json", "--", text)
    answer = json.loads(result.stdout)
    assert answer["text"] == text
    assert set(answer["scores"]) == {"negative", "neutral", "positive"}
    assert sum(answer["scores"].values()) == pytest.approx(1, abs=1e-6)


def test_lines_of_standard_input_are_answered_in_order() -> None:
    result = run("analyze", "--json", stdin="I love it.\n\nI hate it.\n")
    assert [json.loads(line)["label"] for line in result.stdout.splitlines()] == [
        "positive",
        "negative",
    ]


@pytest.mark.parametrize("dash", [("-",), ("-i", "-")])
def test_a_dash_stands_for_standard_input(dash: tuple[str, ...]) -> None:
    result = run("analyze", "--json", *dash, stdin="I love it.\n")
    assert json.loads(result.stdout)["text"] == "I love it."


@pytest.mark.parametrize("name", ["revews.csv", "revews.CSV.gz", "lists/notes.txt", "t.parquet"])
def test_the_name_of_a_table_that_is_not_there_is_not_answered_as_a_text(name: str) -> None:
    result = run("analyze", name)
    assert isinstance(result.exception, DiscernError)
    assert f"There is no file '{name}'" in result.exception.message


def test_a_text_that_only_speaks_of_a_file_is_a_text() -> None:
    assert run("analyze", "I love the new reviews.csv").stdout.startswith("▲ positive")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{table}", "I love it."), "not both"),
        (("{table}", "{table}"), "one file"),
        (("I love it.", "-i", "{table}"), "not both"),
        (("I love it.", "-o", "out.csv"), "--output is for a file"),
        (("{table}", "--json"), "--json is for texts"),
        (("{table}", "-o", "{table}"), "would replace"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused_and_the_table_is_kept(
    reviews: Path, arguments: tuple[str, ...], message: str
) -> None:
    before = reviews.read_bytes()
    result = run("analyze", *(part.format(table=reviews) for part in arguments))
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert reviews.read_bytes() == before


def test_a_text_that_cannot_be_read_fails_alone_and_sets_the_status() -> None:
    result = run("analyze", "--json", "I love it.", " ")
    first, second = map(json.loads, result.stdout.splitlines())
    assert first["label"] == "positive"
    assert second["error"]["code"] == "empty_input"
    assert result.exit_code == 1


def test_a_table_keeps_its_columns_and_gains_the_mood(reviews: Path) -> None:
    result = run("analyze", str(reviews))
    assert result.exit_code == 0
    with (reviews.parent / "reviews.moods.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["id"] for row in rows] == [str(number) for number in range(700)]
    assert rows[0]["sentiment"] == "positive"
    assert float(rows[0]["positive"]) > 0.5
    assert rows[5]["error"] == "empty_input"
    assert "blank" in rows[5]["error_message"]
    assert (rows[0]["error"], rows[0]["error_message"]) == ("", "")
    assert rows[5]["sentiment"] == ""
    assert "1 not analyzed" in result.stderr
    assert not list(reviews.parent.glob(".*partial*"))


@pytest.mark.parametrize("ending", ["jsonl", "parquet", "csv.gz"])
def test_tables_are_read_back_in_the_format_of_their_ending(reviews: Path, ending: str) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    from discern.cli.tables import read_rows

    target = reviews.parent / f"out.{ending}"
    assert run("analyze", "-i", str(reviews), "-o", str(target)).exit_code == 0
    rows = list(read_rows(target))
    assert len(rows) == 700
    assert rows[699]["sentiment"] == "positive"


def test_a_run_that_was_cut_off_goes_on_where_it_stopped(reviews: Path) -> None:
    from discern.cli.progress import PartialResults, fingerprint

    target = reviews.parent / "reviews.moods.csv"
    partial = PartialResults(target, fingerprint(reviews, "review", ""))
    partial.open()
    marker = {"sentiment": "kept", "score": 1.0, "scores": {}, "windows": 1}
    marker |= {"error": "", "error_message": ""}
    for _ in range(300):
        partial.append(marker)
    partial.close()
    result = run("analyze", str(reviews))
    assert "Going on after 300 rows" in result.stderr
    with target.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 700
    assert (rows[299]["id"], rows[299]["sentiment"]) == ("299", "kept")
    assert (rows[300]["id"], rows[300]["sentiment"]) == ("300", "positive")


def test_a_changed_file_is_begun_anew(reviews: Path) -> None:
    from discern.cli.progress import PartialResults, fingerprint

    target = reviews.parent / "reviews.moods.csv"
    partial = PartialResults(target, fingerprint(reviews, "review", ""))
    partial.open()
    partial.append({"sentiment": "stale"})
    partial.close()
    reviews.write_text("id,review\n1,I love it.\n")
    assert "Going on" not in run("analyze", str(reviews)).stderr
    assert "stale" not in target.read_text()


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("a,b\n1,2\n", "t.csv", "--column"),
        ("", "t.csv", "no rows"),
        ("{not json}\n", "t.jsonl", "Line 1"),
        ("x", "t.docx", "known endings"),
        ("I love it.\n", "noext", "known endings"),
        ("I love it.\n", "t.gz", "known endings"),
    ],
)
def test_a_table_that_cannot_be_read_says_why(
    tmp_path: Path, content: str, name: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    result = run("analyze", "-i", str(path))
    assert isinstance(result.exception, DiscernError)
    assert message in result.exception.message


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("nowhere/out.csv", "no folder"),
        ("folder.csv", "is a folder"),
        ("out.docx", "known endings"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    reviews: Path, output: str, message: str
) -> None:
    (reviews.parent / "folder.csv").mkdir()
    before = sorted(reviews.parent.rglob("*"))
    result = run("analyze", "-i", str(reviews), "-o", str(reviews.parent / output))
    assert isinstance(result.exception, DiscernError)
    assert message in result.exception.message
    assert result.exception.field == "output"
    assert sorted(reviews.parent.rglob("*")) == before


def test_evaluate_prints_the_promised_keys_as_json(tmp_path: Path) -> None:
    path = tmp_path / "labelled.csv"
    path.write_text("text,label\nI love it.,positive\nI hate it.,negative\nIt is Monday.,neutral\n")
    figures = json.loads(run("evaluate", "sentiment", str(path), "--json").stdout)
    promised = {"n", "accuracy", "macro_recall", "expected_calibration_error", "texts_per_second"}
    assert promised <= set(figures)
    assert figures["n"] == 3
    assert figures["labels"] == ["negative", "neutral", "positive"]


def test_evaluate_judges_a_file_without_neutral_on_two_classes(tmp_path: Path) -> None:
    path = tmp_path / "labelled.csv"
    path.write_text("text,label\nI love it.,positive\nI hate it.,negative\n")
    figures = json.loads(run("evaluate", "sentiment", str(path), "--json").stdout)
    assert figures["labels"] == ["negative", "positive"]
    assert figures["accuracy"] == 1.0


def test_evaluate_names_the_missing_column(tmp_path: Path) -> None:
    path = tmp_path / "labelled.csv"
    path.write_text("text,mood\nI love it.,positive\n")
    result = run("evaluate", "sentiment", str(path))
    assert isinstance(result.exception, DiscernError)
    assert result.exception.field == "label"


def test_the_shipped_model_is_listed_as_active_and_shows_its_card() -> None:
    rows = json.loads(run("models", "list", "--json").stdout)
    assert any(row["task"] == "sentiment-analysis" and row["active"] for row in rows)
    assert "What it was trained on" in run("models", "show", "sentiment-en").stdout


def test_training_says_what_to_install_only_when_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # as where it is not installed
    data = tmp_path / "my.csv"
    data.write_text("text,label\nI love it.,positive\n")
    assert "--new-labels" in run("train", "sentiment", "--help").stdout
    assert run("train", "sentiment", "--data", str(data)).exit_code == 2
    result = run("train", "sentiment", "--data", str(data), "--output", str(tmp_path / "out"))
    assert isinstance(result.exception, DiscernError)
    assert result.exception.code == "missing_extra"


def test_what_is_typed_after_train_sentiment_reaches_the_program_that_trains(
    tmp_path: Path,
) -> None:
    from discern_training.sentiment.__main__ import finetune

    from discern.cli.train import given_options, sentiment

    data = tmp_path / "my.csv"
    data.touch()
    needed = ["--data", str(data), "--output", "-new", "--name=a b"]
    more = ["--epochs", "3", "--rate", "1e-5", "--held-out", "0.25", "--new-labels", "--seed", "-1"]
    for typed in (needed, [*needed, *more, "--base", str(tmp_path), "--threads", "4"]):
        given = given_options(sentiment.make_context("sentiment", list(typed)))
        assert (
            finetune.make_context("finetune", given).params
            == finetune.make_context("finetune", list(typed)).params
        )


def test_train_sentiment_has_the_options_of_the_program_that_trains() -> None:
    from discern_training.sentiment.__main__ import finetune

    from discern.cli.train import sentiment

    assert [each.to_info_dict() for each in sentiment.params] == [
        each.to_info_dict() for each in finetune.params
    ]


@pytest.mark.parametrize("name", HELPFUL)
def test_every_command_has_help_that_says_what_it_and_its_options_do(name: str) -> None:
    command = HELPFUL[name]
    result = run(*name.split(), "--help")
    assert result.exit_code == 0
    said = " ".join(result.stdout.split())
    assert said.startswith(f"Usage: cli {name}".strip())
    assert " ".join((command.help or "").split("\n\n")[0].split()) in said
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, option.opts


def test_every_group_of_commands_is_among_those_that_are_asked_for_help() -> None:
    groups = {"", "evaluate", "train", "models", "recommend", "key"}
    assert groups <= HELPFUL.keys()
    assert {"recommend fit", "models pull", "train sentiment"} <= HELPFUL.keys()


def test_an_error_of_the_core_is_one_line_and_a_failing_status(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "discern.cli", "models", "show", "nothing"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("discern: There is no model 'nothing'")
    assert done.stderr.count("\n") == 1


def test_the_command_line_starts_without_the_runtime_or_a_web_framework() -> None:
    code = (
        "import sys, discern.cli; from click.testing import CliRunner;"
        "CliRunner().invoke(discern.cli.cli, ['--help']);"
        "print({'numpy', 'onnxruntime', 'django', 'starlette'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_key_for_a_database_that_was_never_migrated_says_what_to_run(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "discern.cli", "key", "create", "demo"],
        env={**os.environ, "DISCERN_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 1
    assert "discern manage migrate" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_benchmark_cuts_texts_as_the_models_manifest_says_and_tells_what_it_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentiment_store(tmp_path)  # its windows have 10 tokens
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path))
    texts = tmp_path / "texts.txt"
    texts.write_text("good " * 62)
    output = run("benchmark", "--model", "words", "--seconds", "5", "--texts", str(texts)).stdout
    assert re.search(r"words 1.0.0 on \d+ processors, 10 tokens a text", output)
    assert "export DISCERN_MODEL_SERVER_SESSIONS=" in output
    assert "DISCERN_MODEL_SERVER_MAX_BATCH_TOKENS was not tuned" in output
