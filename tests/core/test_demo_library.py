from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DATA = ROOT / "src/discern/web/recommendations"
LIBRARY = DATA / "demo_library.jsonl"
READERS = DATA / "demo_readers.jsonl"
SCRIPT = ROOT / "training/demo_library/readers.py"

Row = dict[str, Any]


def rows_of(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def items() -> list[Row]:
    return rows_of(LIBRARY)


@pytest.fixture(scope="module")
def likes() -> list[Row]:
    return rows_of(READERS)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo_library_readers", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its own module up by name while it is being made.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_item_has_exactly_the_documented_fields(items: list[Row]) -> None:
    types = {"id": str, "title": str, "text": str, "category": str, "tags": list, "minutes": int}
    for item in items:
        assert {name: type(value) for name, value in item.items()} == types


def test_the_library_is_large_enough_and_ids_titles_and_texts_are_unique(items: list[Row]) -> None:
    assert len(items) >= 168
    for field in ("id", "title", "text"):
        assert len({item[field] for item in items}) == len(items)


def test_ids_are_slugs_that_fit_an_external_id(items: list[Row]) -> None:
    for item in items:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", item["id"])
        assert len(item["id"]) <= 64


def test_twelve_categories_hold_fourteen_items_or_more_each(items: list[Row]) -> None:
    counts = Counter(item["category"] for item in items)
    assert len(counts) == 12
    assert min(counts.values()) >= 14


def test_every_item_carries_three_to_five_distinct_lower_case_tags(items: list[Row]) -> None:
    for item in items:
        assert 3 <= len(item["tags"]) <= 5
        assert len(set(item["tags"])) == len(item["tags"])
        assert all(re.fullmatch(r"[a-z]+", tag) for tag in item["tags"])


def test_the_tag_vocabulary_is_small_and_every_tag_is_used_three_times(items: list[Row]) -> None:
    counts = Counter(tag for item in items for tag in item["tags"])
    assert 60 <= len(counts) <= 80
    assert min(counts.values()) >= 3


def test_every_tag_connects_at_least_two_categories(items: list[Row]) -> None:
    reach: dict[str, set[str]] = {}
    for item in items:
        for tag in item["tags"]:
            reach.setdefault(tag, set()).add(item["category"])
    assert [tag for tag, categories in reach.items() if len(categories) < 2] == []


def test_texts_have_60_to_140_words_on_one_line_and_end_as_prose_does(items: list[Row]) -> None:
    for item in items:
        assert 60 <= len(item["text"].split()) <= 140
        assert item["text"] == " ".join(item["text"].split())
        assert item["text"][-1] in ".?!"
        assert item["minutes"] in (1, 2, 3)


def test_about_220_readers_like_8_to_40_known_items_each_and_none_twice(
    items: list[Row], likes: list[Row]
) -> None:
    known = {item["id"] for item in items}
    per_person = Counter(like["person"] for like in likes)
    assert 200 <= len(per_person) <= 240
    assert all(8 <= count <= 40 for count in per_person.values())
    assert {like["content"] for like in likes} <= known
    assert len({(like["person"], like["content"]) for like in likes}) == len(likes)


def test_every_like_says_that_its_reader_is_numbered_and_stayed_to_read(likes: list[Row]) -> None:
    for like in likes:
        assert set(like) == {"person", "content", "liked", "view_time"}
        assert re.fullmatch(r"reader-\d{3}", like["person"])
        assert like["liked"] is True
        assert 5 <= like["view_time"] <= 180


def test_the_likes_spread_over_the_library_and_some_items_are_more_popular(
    items: list[Row], likes: list[Row]
) -> None:
    counts = Counter(like["content"] for like in likes)
    assert len(counts) >= 0.95 * len(items)
    top_tenth = sum(count for _, count in counts.most_common(len(items) // 10))
    assert 0.15 <= top_tenth / len(likes) <= 0.5


def test_other_readers_likes_predict_a_held_out_like_better_than_popularity(
    likes: list[Row],
) -> None:
    by_person: dict[str, list[str]] = {}
    for like in likes:
        by_person.setdefault(like["person"], []).append(like["content"])
    popularity = Counter(like["content"] for like in likes)
    together: Counter[tuple[str, str]] = Counter()
    for liked in by_person.values():
        together.update((one, other) for one in liked for other in liked if one != other)
    hits = Counter[str]()
    for liked in by_person.values():
        wanted, *history = liked
        others = popularity.keys() - set(history)
        # The reader's own votes are taken out again, so that nothing held out leaks back in.
        seen = {item: popularity[item] - (item == wanted) for item in others}
        score = {
            item: sum(
                (together[item, past] - (item == wanted)) / popularity[past] for past in history
            )
            / (1 + seen[item]) ** 0.5
            for item in others
        }
        hits["popular"] += wanted in sorted(others, key=lambda i: (-seen[i], i))[:10]
        hits["neighbors"] += wanted in sorted(others, key=lambda i: (-score[i], i))[:10]
    assert hits["neighbors"] >= 1.5 * hits["popular"]


def test_the_readers_file_is_what_the_script_makes(script: ModuleType) -> None:
    made = "".join(f"{line}\n" for line in script.make_lines())
    assert READERS.read_text(encoding="utf-8") == made


def test_another_seed_makes_other_readers(script: ModuleType) -> None:
    assert script.make_lines(seed=script.SEED + 1) != script.make_lines()
