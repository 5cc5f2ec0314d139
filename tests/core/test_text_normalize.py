"""What is looked for before a pattern is applied never keeps it from what it would change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discern.text import normalize as module
from discern.text.normalize import normalize

# Letters, marks and spaces that the rules are about, so that runs and "n't" are common.
TEXTS = st.text(st.sampled_from("nNtTaaé1_'\u2019 !!?..,*-=~#"), max_size=30)


def _without_shortcuts(text: str) -> str:
    if module._SPECIAL.search(text):
        text = module._special(text)
    text = module._LONG_RUN.sub(r"\1\1", text)
    text = module._MARK_RUN.sub(r"\1\1\1", text)
    text = module._SPLIT_NOT.sub("n't", text)
    return " ".join(text.split())


@given(TEXTS)
def test_the_shortcuts_change_nothing(text: str) -> None:
    assert normalize(text) == _without_shortcuts(text)


def test_runs_and_split_negations_are_still_folded() -> None:
    assert normalize("It is sooooo good !!!!!!!") == "It is soo good !!!"
    assert normalize("They did n't come") == "They didn't come"
