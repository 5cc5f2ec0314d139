"""Which words are told from names, and what a bundle is given to read by them."""

from __future__ import annotations

import csv
import gzip
import shutil
from pathlib import Path

import pytest

pytest.importorskip("tokenizers")

from discern_training.sentiment import ordinary, swaps
from discern_training.sentiment.bundle import UNKNOWN_NAME, renew_manifest
from discern_training.sentiment.data import FILES
from tokenizers import Tokenizer

from discern.catalog.manifest import load_bundle
from discern.text.names import OrdinaryWords


def test_what_is_mostly_in_lower_case_is_an_ordinary_word() -> None:
    texts = [
        "A gorblish film. Gorblish, I say, and Gorblish again: zorquin, or Zorquin and Zorquin.",
        "so gorblish that zorquin left with Zorquin, Zorquin and emily, and emily's Seo-yeonx",
        "the Ha-yeonx again, mid-gorblish",
    ]
    found = OrdinaryWords(ordinary.from_texts(texts))
    assert "gorblish" in found
    assert "zorquin" not in found
    assert "emily" not in found
    assert "yeonx" not in found
    assert "yikes" in found


def test_slips_are_known_of_frequent_words_alone() -> None:
    found = OrdinaryWords(ordinary.from_texts(["gorblish wumpily " + "gorblish " * 100, "wumpily"]))
    assert found.near("gorblsh")
    assert not found.near("wumpiy")


def test_the_words_come_from_the_training_part_of_the_open_sets(tmp_path: Path) -> None:
    for name, text in (("imdb", "gorblish"), ("goemotions", "gorblish"), ("tweets", "wumpily")):
        path = tmp_path / FILES[name]
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "wt", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("text", "label"), (text, "neutral")])
    found = OrdinaryWords(ordinary.ordinary_words(tmp_path))
    assert "gorblish" in found
    assert "wumpily" not in found


def test_the_word_read_for_unknown_names_reads_as_other_names_do(shipped: Path) -> None:
    tokenizer = Tokenizer.from_file(str(shipped / "tokenizer.json"))
    word = swaps.stand_in(tokenizer)
    assert swaps.home(word) == "names"
    assert load_bundle(shipped).manifest.preprocessing[UNKNOWN_NAME] == word


def test_a_renewed_manifest_keeps_what_it_is_not_told(shipped: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(shipped, folder)
    renew_manifest(folder, {UNKNOWN_NAME: "mary"}, version="9.0.0")
    manifest = load_bundle(folder).manifest
    assert manifest.version == "9.0.0"
    before = load_bundle(shipped).manifest.preprocessing
    assert manifest.preprocessing == {**before, UNKNOWN_NAME: "mary"}
