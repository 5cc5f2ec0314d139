"""Names that no list holds are read alike; what is no name is read as before."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

import discern.catalog
from discern.catalog.manifest import load_bundle
from discern.errors import BundleInvalid
from discern.inference.session import open_session
from discern.text.analyze import SentimentAnalyzer
from discern.text.names import FILE, MOST_IN_TEXT, OrdinaryWords, UnknownNames, hashes, load
from discern.text.normalize import normalize
from tests.fakes.bundles import write_bundle
from tests.fakes.words import WINDOWS, WordRunner

SHIPPED = Path(discern.catalog.__file__).parent / "bundles/sentiment-en"
# Made up, each by the sounds of another language.
NAMES = [
    "Quvenzhira", "Olumidekwe", "Zbyszymir", "Hrafnhildur", "Thandolwe", "Gebremeskal",
    "Nguyetlinh", "Ximoyara", "Bj\u00f8rnulv", "\u0141ukomir", "Oy\u1eb9latilu", "O'Shanrahan",
    "D'Ambrosetti", "N'Gorobe", "Abdul-Wahibu", "Seo-yeonghu", "McIlvarney", "DeShauntre",
    "Jianpingwa", "Aoibheannd", "Itzelcoatl", "Te-Ranginui", "Kalanimoku", "Ayuningsih",
    "Wojtaszczyk",
]  # fmt: skip
SENTENCES = [
    "{} moved into the flat upstairs.",
    "I told {} that the train was late.",
    "The parcel is for {}, who never answers.",
    "{}'s dog is friendly.",
    "We met Mr. {} and his wife at the station.",
    "Yesterday, {} Park called us twice!",
    'She said: "{} is a terrible cook."',
    "My neighbor ({}) plays the drums at night.",
]


@pytest.fixture(scope="module")
def names() -> UnknownNames:
    tokenizer = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
    word = load_bundle(SHIPPED).manifest.preprocessing["unknown_name"]
    return UnknownNames(tokenizer, load(SHIPPED / FILE), word)


@pytest.fixture(scope="module")
def analyzer() -> SentimentAnalyzer:
    return SentimentAnalyzer(load_bundle(SHIPPED), WordRunner())


@given(st.sampled_from(SENTENCES), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_swapping_two_unknown_names_changes_no_token(
    analyzer: SentimentAnalyzer, sentence: str, first: str, second: str
) -> None:
    one, other = analyzer.windows([sentence.replace("{}", name) for name in (first, second)])
    assert [ids.tolist() for ids in one.ids] == [ids.tolist() for ids in other.ids]
    assert one.tokens == other.tokens


def test_swapping_unknown_and_listed_names_changes_no_probability(
    analyzer: SentimentAnalyzer,
) -> None:
    session = open_session(SHIPPED / "model.onnx", threads=1)
    for sentence in SENTENCES:
        rows = []
        for name in [*NAMES[:6], "Emily", "Kwame", "Fatoumata"]:
            [windows] = analyzer.windows([sentence.replace("{}", name)])
            ids = windows.ids[0][None]
            rows.append(session.run({"input_ids": ids, "attention_mask": np.ones_like(ids)})[0][0])
        assert np.ptp(np.array(rows), axis=0).max() < 1e-5, sentence


@given(st.lists(st.sampled_from([*NAMES, "Good", "the", "\u00c9t\u00e9", "a-b", "!"])), st.data())
@settings(deadline=None)
def test_text_in_one_case_is_read_as_before(
    names: UnknownNames, words: list[str], data: st.DataObject
) -> None:
    text = normalize(" ".join(words))
    for other in (text.lower(), text.upper()):
        assert names.replace(other) == other


@pytest.mark.parametrize(
    "text",
    [
        "The Best Songs Of Olumidekwe",
        "Hrafnhildur: The Complete Works Of A Life",
        "Olumidekwe",
        "Olumidekwe Hrafnhildur",
    ],
)
def test_titles_and_bare_names_are_read_as_before(names: UnknownNames, text: str) -> None:
    assert names.replace(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "It was Awesomee and the food was Yummyy.",
        "Horible service, never again.",
        "Absolutley love it!",
        "Unputdownable from the first page on.",
        "Overcooked steak, but the wine was fine.",
        "Yikes, that hurt.",
        "Shitshow of a film.",
        "Couldn't be better, and it's cheap.",
        "Sci-fi at its best, so-so in the middle.",
        "The CEOs of NASA met the press.",
        "My iPhone is with TrueBlue, he said.",
        "look at @Olumidekwe and www.Olumidekwe.org",
        "Brrr, cold in here.",
        "I flew from Kuala Lumpur to Guinea-Bissau and met Mrs. O'Brien of Sierra Leone.",
    ],
)
def test_ordinary_words_slips_and_cries_are_no_names(names: UnknownNames, text: str) -> None:
    assert names.replace(normalize(text)) == normalize(text)


def test_a_text_too_long_for_the_rule_is_read_as_before(names: UnknownNames) -> None:
    text = "I saw Olumidekwe" + " again" * (MOST_IN_TEXT - 3)
    assert names.replace(text) != text
    assert names.replace(text + " again") == text + " again"
    crowd = ",".join(f"Olumi{letter}" for letter in "abcdefghijklmnop" * 1000)
    assert names.replace(crowd) == crowd


def test_possessives_and_marks_around_a_name_stay(names: UnknownNames) -> None:
    john = names.replace("we met Olumidekwe").removeprefix("we met ")
    assert names.replace('the "Olumidekwe\'s" of it') == f'the "{john}\'s" of it'
    assert names.replace("the Hrafnhildurs' dog -") == f"the {john}' dog -"


def test_a_bundle_without_the_key_reads_names_in_pieces(
    tmp_path: Path, analyzer: SentimentAnalyzer
) -> None:
    folder = tmp_path / "older"
    shutil.copytree(SHIPPED, folder)
    manifest = folder / "manifest.toml"
    lines = manifest.read_text("utf-8").splitlines(keepends=True)
    manifest.write_text("".join(li for li in lines if not li.startswith("unknown_name")), "utf-8")
    older = SentimentAnalyzer(load_bundle(folder), WordRunner())
    text = "I told Olumidekwe so."
    assert older.windows([text])[0].tokens > analyzer.windows([text])[0].tokens
    plain = "i told olumidekwe so."
    assert older.windows([plain])[0].ids[0].tolist() == analyzer.windows([plain])[0].ids[0].tolist()
    assert older.windows([text])[0].tokens == analyzer.windows([plain])[0].tokens


@pytest.mark.parametrize("name", ["3", '"nosuchwordanywhere"', '"so"'])
def test_a_bundle_whose_rule_cannot_work_is_refused(tmp_path: Path, name: str) -> None:
    bundle = write_bundle(tmp_path / "words", extra=f"{WINDOWS}\nunknown_name = {name}")
    with pytest.raises(BundleInvalid):
        SentimentAnalyzer(bundle, WordRunner())


@pytest.mark.parametrize("data", [b"abc", bytes((1, 0, 0, 0, 0, 0, 0, 0))])
def test_a_damaged_file_of_ordinary_words_is_refused(data: bytes) -> None:
    with pytest.raises(BundleInvalid):
        OrdinaryWords(data)


def test_a_slip_of_the_pen_is_known_for_one() -> None:
    words = OrdinaryWords(hashes({"terrible", "small"}, {"terrible"}))
    assert "small" in words
    assert all(words.near(slip) for slip in ("terible", "terribble", "tarrible", "terrilbe"))
    assert not any(words.near(other) for other in ("tolerable", "terrarium", "smal"))
