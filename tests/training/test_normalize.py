"""Text normalization "v1"."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discern.text.normalize import normalize


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sooooo good!!!!!!", "soo good!!!"),
        ("I do n't like it , ca n't stand it", "I don't like it , can't stand it"),
        ("great :) thanks", "great happy face thanks"),
        ("oh no :(", "oh no sad face"),
        ("\U0001f621", "angry face"),
        ("ok \U0001f44d\U0001f3fd", "ok thumbs up"),
        ("fish \U0001f420", "fish tropical fish"),
        ("line<br /><br />break", "line break"),
        ("a &gt; b &amp; c", "a > b & c"),
        ("AT&T and R&D", "AT&T and R&D"),
        ("see https://a.example/x?y=1 @some_one", "see http @user"),
        ("mail me@a.example", "mail me@a.example"),
        ("#NeverAgain #1", "Never Again #1"),
        ("it\u2019s \u201cfine\u201d\u2026", 'it\'s "fine"...'),
        ("can\\u2019t", "can't"),
        ("-LRB- aside -RRB-", "( aside )"),
        ("a\x07b\u200bc\nd\te", "ab c d e"),
        ("cafe\u0301", "caf\u00e9"),
        ("   ", ""),
        ("a:)b and list: (a)", "a:)b and list: (a)"),
    ],
)
def test_each_rule_does_what_its_name_says(text: str, expected: str) -> None:
    assert normalize(text) == expected


def test_skin_tones_make_no_difference() -> None:
    tones = {normalize(f"\U0001f44f{chr(tone)}") for tone in range(0x1F3FB, 0x1F400)}
    assert tones == {normalize("\U0001f44f")}


@given(st.text(max_size=300))
def test_the_result_is_one_clean_line_of_printable_characters(text: str) -> None:
    result = normalize(text)
    assert result == " ".join(result.split())
    assert result.isprintable()


@given(st.lists(st.sampled_from(["I", "read", "it", "twice", "on", "Monday", "was", "too"])))
def test_plain_sentences_stay_as_they_are(words: list[str]) -> None:
    text = " ".join([*words, "good"]) + "."
    assert normalize(text) == text


def test_a_very_long_text_takes_time_in_proportion() -> None:
    assert len(normalize("word :) @x " * 20_000)) > 100_000
