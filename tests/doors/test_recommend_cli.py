"""``discern recommend`` from files to lists, in a home without a site and in one with a site."""

from __future__ import annotations

import csv
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from discern.catalog.store import Store
from discern.cli import cli
from discern.cli.progress import Course
from discern.errors import DiscernError
from discern.recommendations.contract import Content
from discern.recommendations.library import Library

CATEGORIES = ("Sea", "Sky", "Wood")
FIGURES = {"recall@10", "recall@20", "recall@50", "ndcg@10", "ndcg@20", "ndcg@100"}


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(cli, ["recommend", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit | DiscernError):
        raise result.exception
    return result


def contents() -> list[dict[str, Any]]:
    return [
        {
            "content_id": f"c{i}",
            "title": f"{CATEGORIES[i % 3]} story {i}",
            "text": f"about the {CATEGORIES[i % 3].lower()}",
            "category": CATEGORIES[i % 3],
            "tags": f"{CATEGORIES[i % 3].lower()}|t{i % 5}",
        }
        for i in range(60)
    ]


def interactions() -> list[dict[str, Any]]:
    return [
        {
            "user_id": f"u{person}",
            "content_id": f"c{(7 * person + 3 * k) % 20 * 3 + person % 3}",
            "liked": "1" if k else "0",
            "view_time": "30",
            "created_at": f"2024-01-{k + 1:02}T00:00:00",
        }
        for person in range(45)
        for k in range(8)
    ]


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return str(path)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DISCERN_DATABASE_URL", raising=False)
    return tmp_path


@pytest.fixture
def fitted(home: Path) -> Path:
    listed, events = write(home / "c.csv", contents()), write(home / "i.csv", interactions())
    assert run("import", "--contents", listed, "--interactions", events).exit_code == 0
    assert run("fit", "--tune-seconds", "0").exit_code == 0
    return home


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_file_of_each_kind_is_taken_in_once_and_what_is_unknown_is_counted(
    home: Path, ending: str
) -> None:
    listed = write(home / f"c.{ending}", contents())
    events = write(
        home / f"i.{ending}", [*interactions(), {**interactions()[0], "content_id": "nowhere"}]
    )
    first = run("import", "--contents", listed, "--interactions", events).stdout
    assert "60 added, 0 replaced" in first
    assert "361 added, 0 known already, 1 of unknown contents, 361 late" in first
    again = run("import", "--contents", listed, "--interactions", events).stdout
    assert "0 added, 60 replaced" in again
    assert "0 added, 361 known already" in again


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_what_is_exported_is_known_already_when_it_comes_back(home: Path, ending: str) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    # Some with a key of their own, one of them ahead of time, and one whose like is taken back.
    rows = [{**row, "key": f"k{i % 8}" if i < 80 else ""} for i, row in enumerate(interactions())]
    rows[3]["created_at"] = "2999-01-01T00:00:00"
    listed, events = write(home / "c.csv", contents()), write(home / "i.csv", rows)
    assert "360 added" in run("import", "--contents", listed, "--interactions", events).stdout
    Library(home / "home" / "recommendations").events.withdraw("u1", rows[9]["content_id"])
    files = [str(home / f"out-{name}.{ending}") for name in ("contents", "interactions")]
    run("export", "--contents", files[0])
    run("export", "--interactions", files[1])
    again = run("import", "--contents", files[0], "--interactions", files[1]).stdout
    assert "0 added, 60 replaced" in again
    assert "0 added, 360 known already" in again


def test_an_export_holds_all_that_a_person_did_and_nothing_that_was_deleted(home: Path) -> None:
    many = [
        {"user_id": "x", "content_id": f"c{i % 60}", "view_time": "1", "created_at": str(i)}
        for i in range(1, 1_201)
    ]
    listed, events = write(home / "c.csv", contents()), write(home / "i.csv", many)
    run("import", "--contents", listed, "--interactions", events)
    assert len(run("export", "--person", "x", "-").stdout.splitlines()) == 1_200
    Library(home / "home" / "recommendations").put_contents([Content("c7", available=False)])
    left = [json.loads(line) for line in run("export", "--contents", "-").stdout.splitlines()]
    assert len(left) == 59
    assert "c7" not in {row["content_id"] for row in left}


def test_an_export_to_a_folder_that_is_not_there_says_so(home: Path) -> None:
    result = CliRunner().invoke(
        cli, ["recommend", "export", "--contents", str(home / "nowhere" / "out.csv")]
    )
    assert isinstance(result.exception, DiscernError)
    assert "no folder" in result.exception.message


def test_a_list_follows_from_what_was_imported_and_says_read_where_nothing_was_liked(
    fitted: Path,
) -> None:
    lines = run("for", "u0", "-n", "5").stdout.splitlines()
    assert len(lines) == 5
    assert all(line.split()[1] == "Sea" for line in lines)
    assert any("because you liked Sea story" in line for line in lines)
    seen = {row["content_id"] for row in interactions() if row["user_id"] == "u0"}
    listed = json.loads(run("for", "u0", "--json").stdout)
    assert not seen & {line["content"] for line in listed}
    viewed = [{"user_id": "reader", "content_id": "c3", "liked": "0", "view_time": "90"}]
    run("import", "--interactions", write(fitted / "more.csv", viewed))
    assert "because you read Sea story 3" in run("for", "reader").stdout
    filtered = json.loads(run("for", "u0", "--category", "Sky", "--json").stdout)
    assert {int(line["content"][1:]) % 3 for line in filtered} == {1}
    gone = write(fitted / "gone.csv", [{**contents()[30], "available": "0"}])
    run("import", "--contents", gone)
    for options, expected in (((), False), (("--unavailable",), True)):
        lines = json.loads(run("for", "nobody", "-n", "60", *options, "--json").stdout)
        assert ("c30" in {line["content"] for line in lines}) is expected
    assert json.loads(run("similar", "c3", "-n", "3", "--json").stdout)[0]["reason"]["content"]


def test_what_goes_with_a_content_is_filtered_as_a_list_is(fitted: Path) -> None:
    def found(*options: str) -> set[str]:
        lines = json.loads(run("similar", "c3", "-n", "60", *options, "--json").stdout)
        return {line["content"] for line in lines}

    everything = found()
    sky, tagged = found("--category", "Sky"), found("--tag", "t1", "--tag", "t2")
    assert {int(name[1:]) % 3 for name in sky} == {1}
    assert {int(name[1:]) % 5 for name in tagged} == {1, 2}
    assert sky < everything
    assert tagged < everything
    assert found("--exclude", "c6", "--exclude", "c9") == everything - {"c6", "c9"}
    gone = write(fitted / "gone.csv", [{**contents()[6], "available": "0"}])
    run("import", "--contents", gone)
    assert found() == everything - {"c6"}
    assert found("--unavailable") == everything


def test_a_fit_lets_go_of_the_marks_of_those_it_did_not_learn_from(fitted: Path) -> None:
    library = Library(fitted / "home" / "recommendations")
    library.events.erase("u0")
    with closing(sqlite3.connect(fitted / "home/recommendations/events.sqlite")) as log, log:
        log.execute("UPDATE events SET at = 1 WHERE kind = 'erased'")
    library.events.erase("u1")
    assert run("fit", "--tune-seconds", "0", "--version", "1", "--no-activate").exit_code == 0
    assert len([event for event in library.events.read() if event.erased]) == 2
    assert run("fit", "--tune-seconds", "0", "--version", "2").exit_code == 0
    assert len([event for event in library.events.read() if event.erased]) == 1


def test_evaluating_gives_the_agreed_keys_for_folds_and_for_a_given_split(home: Path) -> None:
    rows = interactions()
    listed, events = write(home / "c.csv", contents()), write(home / "i.csv", rows)
    pairs = [{"user_id": row["user_id"], "content_id": row["content_id"]} for row in rows]
    train = write(home / "train.csv", [pair for n, pair in enumerate(pairs) if n % 5])
    test = write(home / "test.csv", pairs[::5])
    for files in (
        ("--contents", listed, "--interactions", events),
        ("--train", train, "--test", test),
    ):
        found = json.loads(run("evaluate", *files, "--tune-seconds", "0", "--json").stdout)
        assert found.keys() >= FIGURES | {"fit_seconds", "model_bytes"}
        assert all(0 <= found[name] <= 1 for name in FIGURES)
        assert found["ndcg@100"] > 0.3
        assert found["model_bytes"] > 0


def test_where_there_is_a_site_its_database_takes_the_files_in(home: Path) -> None:
    pytest.importorskip("django")
    listed, events = write(home / "c.csv", contents()), write(home / "i.csv", interactions())
    run("import", "--contents", listed, "--interactions", events)
    assert _discern("manage", "migrate", "--no-input").returncode == 0
    adopted = _discern("manage", "import_recommendations", "--library").stdout
    assert "60 added, 0 replaced" in adopted
    assert "360 added, 0 known already" in adopted
    more = [{"user_id": "x", "content_id": name, "liked": "1"} for name in ("c1", "nowhere")]
    path = write(home / "more.csv", more)
    told = _discern("recommend", "import", "--interactions", path).stdout
    assert "1 added, 0 known already, 1 of unknown contents left out, 0 late" in told
    assert "c1" in run("export", "--person", "x", "-").stdout  # model servers read it there
    missing = _discern("recommend", "import", "--interactions", str(home / "none.csv"))
    assert missing.returncode == 1
    assert "There is no file" in missing.stderr


def test_a_person_is_forgotten_once_it_is_confirmed_and_an_unknown_one_is_told(home: Path) -> None:
    run("import", "--interactions", write(home / "i.csv", interactions()))
    asked = CliRunner().invoke(cli, ["recommend", "forget", "u3"], input="n\n")
    assert asked.exit_code == 1
    assert len(run("export", "--person", "u3", "-").stdout.splitlines()) == 8
    assert "u3  8 interactions erased" in run("forget", "u3", "--yes").stdout
    assert run("export", "--person", "u3", "-").stdout == ""
    again = run("forget", "u3", "--yes")
    assert isinstance(again.exception, DiscernError)
    assert again.exception.code == "not_found"


def test_where_there_is_a_site_a_person_is_forgotten_in_its_database_too(home: Path) -> None:
    pytest.importorskip("django")
    listed, events = write(home / "c.csv", contents()), write(home / "i.csv", interactions())
    assert _discern("manage", "migrate", "--no-input").returncode == 0
    run_in_site = _discern("recommend", "import", "--contents", listed, "--interactions", events)
    assert run_in_site.returncode == 0
    erased = _discern("recommend", "forget", "u3", "--yes")
    assert "u3  8 interactions erased" in erased.stdout
    assert run("export", "--person", "u3", "-").stdout == ""
    again = _discern("recommend", "forget", "u3", "--yes")
    assert again.returncode == 1
    assert "Nothing is known of 'u3'" in again.stderr


def _discern(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "discern.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_fit_reports_quality_spread_time_and_memory_and_its_bundle_keeps_them(
    home: Path,
) -> None:
    more = [
        {**row, "user_id": f"{row['user_id']}-{twin}"} for row in interactions() for twin in "ab"
    ]
    listed, events = write(home / "c.csv", contents()), write(home / "i.csv", more)
    result = run(
        *("fit", "--contents", listed, "--interactions", events, "--tune-seconds", "0", "--json")
    )
    told = json.loads(result.stdout)
    five = {"ndcg@10", "coverage@10", "gini@10", "fit_seconds", "peak_memory_mb"}
    assert told.keys() >= five
    assert 0 < told["coverage@10"] <= 1
    assert 0 <= told["gini@10"] < 1
    assert 10 < told["peak_memory_mb"] < 100_000
    kept = Store(home / "home").active("recommendation").manifest.quality
    assert {name: kept[name] for name in five} == {name: told[name] for name in five}


def test_a_fit_shows_what_is_solved_in_a_bar_and_the_time_left_in_lines(
    fitted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)  # a bar is drawn on a terminal only
    with Course() as course:
        course.line("searching, 3 s left")
        course.solved(50, 200)
        course.line("learning")
        course.solved(100, 200)
        course.solved(200, 200)
    shown = capsys.readouterr().err
    assert "searching, 3 s left\n" in shown
    assert shown.index("50/200") < shown.index("\nlearning") < shown.index("100/200")
    assert "200/200" in shown
    lines = run("fit", "--tune-seconds", "0").stderr
    assert "contents solved" in lines
