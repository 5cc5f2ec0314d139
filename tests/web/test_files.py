"""Files of texts as people really save them, and a result that no spreadsheet runs."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discern.errors import EmptyInput, InvalidInput, TooLarge
from discern.web.text import files
from discern.web.text.results import bad_result, csv_lines, guarded, pack, unpack

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)


def texts_of(text: str, **options: object) -> list[str | None]:
    layout = files.read_layout(text, format="csv", **options)  # type: ignore[arg-type]
    return [row.text for row in files.read_rows(text, layout)]


@given(st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=20))
def test_what_a_csv_writer_wrote_is_read_back(rows: list[list[str]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["id", "text"])
    writer.writerows(rows)
    assert texts_of(out.getvalue()) == [row[1] for row in rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    text = delimiter.join(["id", "text", "note"]) + "\n" + delimiter.join(["1", "good", "x"]) + "\n"
    assert texts_of(text) == ["good"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_encodings_that_spreadsheets_save_are_read(encoding: str) -> None:
    text = files.decode("text\nschön 👍\n".encode(encoding))
    assert texts_of(text) == ["schön 👍"]


def test_another_encoding_is_refused_and_the_byte_named() -> None:
    with pytest.raises(InvalidInput, match="byte 8 "):
        files.decode("text\nsch\xf6n\n".encode("latin-1"))


@pytest.mark.parametrize("content", [b"", b"\n\n", "\ufeff \n".encode()])
def test_an_empty_file_is_refused(content: bytes) -> None:
    with pytest.raises(EmptyInput):
        files.decode(content)


def test_line_ends_of_every_system_and_line_breaks_inside_quotes() -> None:
    assert texts_of('text\r\n"a\r\nb"\r\nc\r\n') == ["a\r\nb", "c"]
    assert texts_of("text\ra\rb\r") == ["a", "b"]


def test_empty_lines_are_no_rows_but_blank_cells_are() -> None:
    assert texts_of("id,text\n1,a\n\n2,\n") == ["a", ""]


def test_a_row_without_the_column_is_its_own_problem_alone() -> None:
    layout = files.read_layout("id,text\n1\n2,good\n", format="csv")
    rows = list(files.read_rows("id,text\n1\n2,good\n", layout))
    assert rows[0].text is None
    assert rows[0].problem
    assert rows[1].text == "good"


def test_a_text_parted_at_an_unquoted_comma_is_a_problem_and_not_half_a_text() -> None:
    text = "text,id\nGood, but it broke,7\nfine,8,,\n"
    rows = list(files.read_rows(text, files.read_layout(text, format="csv")))
    assert rows[0].problem is not None
    assert "3 cells for 2 columns" in rows[0].problem
    assert (rows[1].text, rows[1].problem) == ("fine", None)


def test_a_file_of_one_column_needs_no_quotes_around_its_commas() -> None:
    assert texts_of("text\nGood, but it broke, twice\nfine\n") == [
        "Good, but it broke, twice",
        "fine",
    ]


@pytest.mark.parametrize("header", ['text;"a,b,c,d"', '"1,2";text'])
def test_what_is_quoted_in_the_header_parts_no_columns(header: str) -> None:
    assert texts_of(f"{header}\ngood;good\n") == ["good"]


def test_keys_that_the_first_json_line_lacks_are_columns_too() -> None:
    text = '{"id": 1}\n{"id": 2, "text": "good"}\n'
    layout = files.read_layout(text, format="jsonl")
    assert layout.columns == ["id", "text"]
    assert [row.text for row in files.read_rows(text, layout)] == [None, "good"]


def test_a_file_without_a_header_has_numbered_columns() -> None:
    assert texts_of("1,good\n2,bad\n", column="2", has_header=False) == ["good", "bad"]


def test_columns_of_one_name_are_told_apart() -> None:
    layout = files.read_layout("a,a, ,text\n1,2,3,4\n", format="csv")
    assert layout.columns == ["a", "a (2)", "3", "text"]


def test_a_missing_column_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(InvalidInput, match="'review', 'stars'") as caught:
        files.read_layout("review,stars\nx,1\n", format="csv", column="txt")
    assert caught.value.field == "column"
    with pytest.raises(InvalidInput, match="Name the column"):
        files.read_layout("review,stars\nx,1\n", format="csv")


def test_too_many_columns_and_rows_are_refused() -> None:
    with pytest.raises(TooLarge):
        files.read_layout(",".join(["c"] * 501) + "\n", format="csv")
    layout = files.read_layout("text\na\nb\n", format="csv")
    assert files.count_rows("text\na\nb\n", layout, limit=2) == 2
    with pytest.raises(TooLarge):
        files.count_rows("text\na\nb\n", layout, limit=1)
    with pytest.raises(EmptyInput):
        files.count_rows("text\n", layout, limit=1)


def test_json_lines_keep_their_bad_lines_apart() -> None:
    text = '{"text": "good", "n": 1}\n\nnot json\n"bare"\n[1]\n{"n": 2}\n{"text": 3}\n'
    layout = files.read_layout(text, format="jsonl")
    rows = list(files.read_rows(text, layout))
    assert [row.text for row in rows] == ["good", None, "bare", None, None, None]
    assert rows[0].cells == ["good", "1"]


def test_a_file_with_no_json_at_all_is_refused() -> None:
    with pytest.raises(InvalidInput):
        files.read_layout("a\nb\n", format="jsonl")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.jsonl", "x", "jsonl"),
        ("a.ndjson", "x", "jsonl"),
        ("a.csv", '{"a"', "csv"),
        ("", '{"text": "x"}', "jsonl"),
        ("", "text\nx", "csv"),
    ],
)
def test_the_format_is_guessed_from_the_name_then_the_content(
    name: str, text: str, expected: str
) -> None:
    assert files.guess_format(name, text) == expected


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1+1",
        "\u00a0=1",
        "\uff1d1+1",
        "-2+3+cmd|x",
    ],
)
def test_a_cell_that_a_spreadsheet_would_run_is_shown_as_text(cell: str) -> None:
    assert guarded(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", "good", "-5", "+3.25", "-1,5", "1e-3", "-5%", "a=b", "5-3"])
def test_an_ordinary_cell_and_a_number_stay_as_they_are(cell: str) -> None:
    assert guarded(cell) == cell


@given(CELL)
def test_no_guarded_cell_begins_a_formula(cell: str) -> None:
    safe = guarded(cell)
    assert safe.endswith(cell)
    if safe[:1] in {"=", "@", "\t", "\r"}:
        pytest.fail(repr(safe))


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=10))
def test_the_result_has_every_row_and_column_of_the_file(cells: list[tuple[str, str]]) -> None:
    rows = [files.Row(list(pair), pair[1]) for pair in cells]
    results = [bad_result(n + 1, row, InvalidInput("x")) for n, row in enumerate(rows)]
    stored = unpack(pack(results))
    lines = "".join(csv_lines(["id", "score"], rows, stored, ["bad", "good"]))
    read = list(csv.reader(io.StringIO(lines, newline="")))
    assert read[0][:4] == ["id", "score", "sentiment", "discern_score"]
    assert [row[:2] for row in read[1:]] == [[guarded(a), guarded(b)] for a, b in cells]
    assert all(len(row) == len(read[0]) for row in read)
    assert read[0][-2:] == ["error", "error_message"]
    assert {tuple(row[-2:]) for row in read[1:]} == {("invalid_input", "x")}


def test_an_unclosed_quote_refuses_the_file_and_names_its_line() -> None:
    text = 'id,text\n1,good\n2,"bad\n3,day\n'
    layout = files.read_layout(text, format="csv")
    with pytest.raises(InvalidInput, match="opens on line 3 is never closed"):
        files.count_rows(text, layout, limit=10)


def test_a_result_that_is_sent_again_has_no_two_columns_of_one_name() -> None:
    columns = ["text"]
    for _ in range(3):
        row = files.Row(["good", *[""] * (len(columns) - 1)], "good")
        stored = [bad_result(1, row, InvalidInput("No."))]
        columns = next(csv.reader(csv_lines(columns, [row], stored, ["bad", "good"])))
    assert len(set(columns)) == len(columns) == 1 + 3 * 7
