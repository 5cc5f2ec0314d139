"""The words that are no names, for :mod:`discern.text.names`: what people write in lower case."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from discern.text.names import hashes, inside
from discern.text.normalize import normalize
from discern_training.sentiment.data import load_set, split
from discern_training.sentiment.swaps import listed

# Sets whose texts are as people typed them; the treebank's are in lower case throughout.
SETS: Final = ("imdb", "goemotions", "tweets")
# What mostly stands at the beginning of a sentence, and two words that are awards before names.
_CRIES: Final = (
    "ahh", "aha", "ahaha", "alas", "amen", "argh", "arghh", "aww", "awww", "bah", "begone", "blah",
    "blech", "boo", "boohoo", "bravo", "brr", "congrats", "congratz", "congratulations", "cheers",
    "dang", "darn", "dammit", "damnit", "drat", "duh", "eek", "eesh", "eew", "eww", "ewww", "ffs",
    "gah", "gee", "geez", "geeze", "golly", "gosh", "grats", "grr", "gross", "haha", "hahaha",
    "hallelujah", "heck", "hmm", "hooray", "hurrah", "hurray", "huzzah", "jeez", "kudos", "lmao",
    "lmfao", "lol", "lolz", "lulz", "meh", "mmm", "mwah", "nah", "naw", "nope", "ofcourse", "oof",
    "ooh", "oops", "ouch", "ow", "phew", "phooey", "pff", "pfft", "pish", "props", "pshaw", "puke",
    "rofl", "sheesh", "shh", "sigh", "smh", "thankyou", "thanx", "thx", "tsk", "twas", "ugh", "uh",
    "umm", "welp", "wha", "whatchu", "whee", "whew", "whoa", "whoop", "whoopee", "whoops", "woah",
    "woo", "woohoo", "woot", "wow", "wowza", "yah", "yahoo", "yassss", "yawn", "yay", "yea", "yeah",
    "yech", "yeesh", "yep", "yeehaw", "yikes", "yippee", "yo", "yoohoo", "yuck", "yum", "yummy",
    "yup", "zounds", "zzz", "emmys", "grammys", "oscars",
)  # fmt: skip
_LEAST: Final = 2
_FREQUENT: Final = 100
_WORD: Final = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_PART: Final = re.compile(r"['-]")


def ordinary_words(folder: Path) -> bytes:
    """The file's content, from the training part of the open sets in ``folder``."""
    examples = (example for name in SETS for example in split(load_set(name, folder))[0])
    return from_texts(example.text for example in examples)


def from_texts(texts: Iterable[str]) -> bytes:
    """The same of any texts: words that are in lower case twice or more and seldom have a capital
    within a sentence, those that are cried out, and, for slips, those of them that are frequent."""
    lower: Counter[str] = Counter()
    capital: Counter[str] = Counter()
    for text in map(normalize, texts):
        for found in _WORD.finditer(text):
            # What follows a hyphen in a name is in lower case and no ordinary word for that.
            parts = _PART.split(found[0]) if found[0].islower() else []
            for word in {found[0], *parts}:
                if word.islower():
                    lower[word] += 1
                elif word[1:].islower() and inside(text, found.start()):
                    capital[word.lower()] += 1
    # Some people never write a capital, not even in names.
    words = {
        word
        for word, count in lower.items()
        if count >= _LEAST and 2 * count > capital[word] and not listed(word)
    }
    frequent = {word for word in words if lower[word] >= _FREQUENT}
    return hashes(words.union(_CRIES), frequent)
