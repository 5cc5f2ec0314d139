"""``discern analyze`` and ``evaluate`` over tables as people really have them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from discern.cli import analyze, cli, evaluate, tables
from discern.errors import DiscernError, InvalidInput, TooLarge
from discern.text.contract import TIMELY_CHARS
from tests.fakes.engine import WordEngine


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(cli, arguments, input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit | DiscernError):
        raise result.exception
    return result


def analyzed(path: Path, content: bytes, output: str = "") -> list[dict[str, Any]]:
    """The rows that come back for a file with that content."""
    path.write_bytes(content)
    target = path.with_name(output or f"out{path.suffix}")
    result = run("analyze", "-i", str(path), "-o", str(target))
    assert result.exit_code == 0, result.output
    return list(tables.read_rows(target))


def test_columns_of_the_file_that_are_called_like_ours_keep_what_they_hold(tmp_path: Path) -> None:
    content = b"text,score,error,positive\nLovely day,5,none,a\nIt broke,1,E7,b\n"
    first, second = analyzed(tmp_path / "in.csv", content)
    assert (first["score"], first["error"], first["positive"]) == ("5", "none", "a")
    assert (second["score"], second["error"], second["positive"]) == ("1", "E7", "b")
    assert float(first["discern_score"]) > 0.5
    assert first["discern_positive"] == first["discern_score"]
    assert first["discern_error"] == ""


def test_a_table_analyzed_twice_keeps_the_moods_of_the_first_time(tmp_path: Path) -> None:
    once = analyzed(tmp_path / "in.csv", b"text\nLovely\n", "once.csv")
    twice = analyzed(tmp_path / "again.csv", (tmp_path / "once.csv").read_bytes(), "twice.csv")
    thrice = analyzed(tmp_path / "more.csv", (tmp_path / "twice.csv").read_bytes())
    assert twice[0]["score"] == twice[0]["discern_score"] == once[0]["score"]
    assert thrice[0]["discern_discern_score"] == once[0]["score"]


@pytest.mark.parametrize("output", ["out.csv", "out.tsv", "out.parquet", "out.jsonl"])
def test_a_first_row_that_cannot_be_analyzed_costs_the_others_nothing(
    tmp_path: Path, output: str
) -> None:
    if output.endswith("parquet"):
        pytest.importorskip("pyarrow")
    blank, good = analyzed(tmp_path / "in.csv", b"id,text\n1,\n2,Lovely\n", output)
    assert blank["error"]
    assert not blank["positive"]
    assert float(good["positive"]) == float(good["score"]) > 0.5


def test_a_text_parted_at_an_unquoted_comma_is_an_error_and_not_half_a_text(
    tmp_path: Path,
) -> None:
    rows = analyzed(
        tmp_path / "in.csv",
        b"text,id\nGood, but the handle broke,7\nLovely,8\nLovely,9,,\n",
    )
    assert "3 cells for 2 columns" in rows[0]["error_message"]
    assert rows[0]["sentiment"] == ""
    assert [row["sentiment"] for row in rows[1:]] == ["positive", "positive"]


def test_a_file_of_one_column_needs_no_quotes_around_its_commas(tmp_path: Path) -> None:
    [row] = analyzed(tmp_path / "in.csv", b"text\nGood, but it broke, twice\n")
    assert row["text"] == "Good, but it broke, twice"
    assert row["error"] == ""


def test_two_columns_of_one_name_are_two_columns(tmp_path: Path) -> None:
    [row] = analyzed(tmp_path / "in.csv", b"text,text\nLovely,x\n")
    assert (row["text"], row["text (2)"]) == ("Lovely", "x")


@pytest.mark.parametrize(
    "content",
    [
        b"\n\ntext;id\nLovely;1\n",
        b'text;id;"a,b,c,d"\nLovely;1;x\n',
        "text;id\nLovely;1\n".encode("utf-16"),
        "text;id\nLovely;1\n".encode("utf-8-sig"),
    ],
    ids=["blank lines first", "commas in a quoted name", "UTF-16", "UTF-8 with its mark"],
)
def test_columns_are_found_however_the_file_was_written(tmp_path: Path, content: bytes) -> None:
    [row] = analyzed(tmp_path / "in.csv", content)
    assert (row["text"], row["id"]) == ("Lovely", "1")


def test_a_table_written_as_tsv_is_parted_by_tabs(tmp_path: Path) -> None:
    analyzed(tmp_path / "in.tsv", b"text\tid\nGood, really\t7\n")
    header = (tmp_path / "out.tsv").read_text().splitlines()[0]
    assert header.split("\t")[:3] == ["text", "id", "sentiment"]


def test_json_lines_with_different_keys_lose_none_of_them_in_a_csv(tmp_path: Path) -> None:
    content = b'{"text": "Lovely"}\n{"text": "Bad", "id": 7}\n'
    first, second = analyzed(tmp_path / "in.jsonl", content, "out.csv")
    assert (first["id"], second["id"]) == ("", "7")


def test_half_a_surrogate_pair_is_that_rows_error_and_comes_back_as_it_was(tmp_path: Path) -> None:
    content = b'{"text": "half \\ud800 pair"}\n{"text": "Lovely"}\n'
    broken, good = analyzed(tmp_path / "in.jsonl", content)
    assert broken["text"] == "half \ud800 pair"
    assert "Unicode" in broken["error_message"]
    assert good["sentiment"] == "positive"


def test_a_field_longer_than_any_text_is_that_rows_error(tmp_path: Path) -> None:
    rows = analyzed(tmp_path / "in.csv", b"text\n" + b"x" * 11_000_000 + b"\nLovely\n")
    assert "the limit is 100,000" in rows[0]["error_message"]
    assert rows[1]["sentiment"] == "positive"


def test_times_numbers_and_bytes_of_parquet_keep_their_types(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    own = {"text": "Lovely", "at": datetime(2024, 1, 1), "price": Decimal("1.5"), "raw": b"\xff"}
    parquet.write_table(pyarrow.Table.from_pylist([own]), tmp_path / "in.parquet")
    content = (tmp_path / "in.parquet").read_bytes()
    [row] = analyzed(tmp_path / "in.parquet", content)
    assert own.items() <= row.items()
    for output in ("out.csv", "out.jsonl"):
        [row] = analyzed(tmp_path / "in.parquet", content, output)
        assert (row["at"], str(row["price"]), row["raw"]) == ("2024-01-01 00:00:00", "1.5", "ff")


def test_rows_that_parquet_has_no_type_for_say_so(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "Lovely", "id": 1}\n{"text": "Lovely", "id": "a"}\n')
    result = run("analyze", "-i", str(source), "-o", str(tmp_path / "out.parquet"))
    assert isinstance(result.exception, InvalidInput)
    assert "Parquet cannot hold" in result.exception.message


@pytest.mark.parametrize("content", [gzip.compress(b"text\nLovely\n")[:-10], b"text\nLovely\n"])
def test_a_gzip_file_that_is_cut_off_or_none_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "in.csv.gz"
    path.write_bytes(content)
    result = run("analyze", str(path))
    assert isinstance(result.exception, InvalidInput)
    assert "not a whole gzip file" in result.exception.message


def test_lines_of_standard_input_are_utf_8_and_one_that_is_not_fails_alone() -> None:
    result = run("analyze", "--json", stdin=b"\xef\xbb\xbfLovely\r\ncaf\xe9\n\nAwful\n")
    first, second, third = map(json.loads, result.stdout.splitlines())
    assert (first["text"], first["label"]) == ("Lovely", "positive")
    assert second["error"]["message"] == "Line 2 is not UTF-8."
    assert third["label"] == "negative"
    assert result.exit_code == 1


def test_an_error_of_the_file_system_is_one_line_and_a_failing_status(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text\nLovely\n")
    name = "o" * 250 + ".csv"
    command = [sys.executable, "-m", "discern.cli", "analyze", "-i", "in.csv", "-o", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "File name too long" in done.stderr


def write_labelled(path: Path, *labels: str) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerows([("text", "label"), *(("Lovely", label) for label in labels)])
    path.write_text(stream.getvalue())
    return str(path)


def test_labels_to_evaluate_with_may_have_any_case_and_spaces(tmp_path: Path) -> None:
    file = write_labelled(tmp_path / "in.csv", "Positive", " NEGATIVE ")
    figures = json.loads(run("evaluate", "sentiment", file, "--json").stdout)
    assert figures["labels"] == ["negative", "positive"]


@pytest.mark.parametrize("label", ["1", "good", ""])
def test_a_label_that_is_not_the_models_is_named_before_the_work(
    tmp_path: Path, label: str
) -> None:
    file = write_labelled(tmp_path / "in.csv", "positive", label)
    result = run("evaluate", "sentiment", file)
    assert isinstance(result.exception, InvalidInput)
    assert result.exception.message.startswith(f"Row 2: '{label}' is not one of negative")
    assert "Evaluating" not in result.stderr


def test_an_unclosed_quote_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('text,id\nLovely,1\n"It broke,2\nFine,3\n')
    result = run("analyze", str(tmp_path / "in.csv"))
    assert isinstance(result.exception, InvalidInput)
    assert "'in.csv'" in result.exception.message
    assert "line 3 is never closed" in result.exception.message
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_a_small_parquet_file_that_unpacks_to_a_gigabyte_is_refused_unread(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    from tests.core.forged_parquet import chunks, forge_footer

    table = pyarrow.table({"review.text": ["y" * 2**30]})
    stream = io.BytesIO()
    parquet.write_table(
        table, stream, compression="zstd", use_dictionary=False, write_statistics=False
    )

    def says_little(footer: Any) -> None:
        for chunk in chunks(footer):
            chunk[6][1] = 100

    file = forge_footer(stream.getvalue(), says_little)
    assert len(file) < 50_000
    (tmp_path / "in.parquet").write_bytes(file)
    del table, stream
    counted = pyarrow.proxy_memory_pool(usual := pyarrow.default_memory_pool())
    pyarrow.set_memory_pool(counted)
    try:
        result = run("analyze", str(tmp_path / "in.parquet"))
    finally:
        pyarrow.set_memory_pool(usual)
    assert isinstance(result.exception, TooLarge)
    assert "'in.parquet'" in result.exception.message
    assert counted.max_memory() < 2**20


def test_every_column_of_parquet_is_kept_whatever_it_holds_and_is_called(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    own = {"review.text": "Lovely", "tags": ["a", "b"], "by": {"name": "Ann", "stars": [5, 4]}}
    parquet.write_table(pyarrow.Table.from_pylist([own] * 1_200), tmp_path / "in.parquet")
    target = tmp_path / "out.parquet"
    command = ("analyze", str(tmp_path / "in.parquet"), "-c", "review.text", "-o", str(target))
    assert run(*command).exit_code == 0
    rows = list(tables.read_rows(target))
    assert len(rows) == 1_200
    assert all({name: row[name] for name in own} == own for row in rows)


def test_no_call_asks_a_model_server_for_more_than_it_answers_in_time() -> None:
    texts = ["good " * 15_000, "bad"] * 5
    asked_once, asked_again = WordEngine(), WordEngine()
    moods = list(analyze._moods(asked_once, [{"text": text} for text in texts], "text", None))
    judged = evaluate._analyze_sorted(asked_again, texts, None)
    assert [mood for _, mood in moods] == judged
    for engine in (asked_once, asked_again):
        assert len(engine.calls) < len(texts)
        assert all(sum(map(len, call)) <= TIMELY_CHARS for call in engine.calls)
