"""Makes the likes of the reading room's synthetic readers, the same ones every time.

No person is behind any line of ``demo_readers.jsonl``. Each reader is drawn from a seeded
generator and is described by

- one to three tastes, each a category or a tag of the demo library, the first the strongest;
- a mood, which also splits the items but is written nowhere in them. It is the part that only
  other readers' likes can reveal, so that learning from likes has something to add to content;
- a little curiosity about everything else, and everybody's pull toward the popular items.

Only additions, products and quotients of ``random.Random.random()`` decide, so the file is the
same on every platform and Python version. Run it with ``python training/demo_library/readers.py``.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random

LIBRARY = Path(__file__).parents[2] / "src/discern/web/recommendations/demo_library.jsonl"
READERS = LIBRARY.with_name("demo_readers.jsonl")

SEED = 20_260
READER_COUNT = 220
FEWEST_LIKES, MOST_LIKES = 8, 40
TASTE_STRENGTHS = (1.0, 0.7, 0.5)
CURIOSITY = 0.02
MOODS = 4
OTHER_MOOD = 0.25
POPULARITY_HALVES_AT = 60
RAREST_TAG_AS_TASTE = 5
CATEGORY_TASTE_SHARE = 0.6
WORDS_PER_SECOND = (2.5, 5.0)


@dataclass(frozen=True, slots=True)
class Item:
    """What decides how much a reader is drawn to one piece; ``popularity`` lies in (0, 1]."""

    slug: str
    subjects: frozenset[str]
    words: int
    mood: int
    popularity: float


@dataclass(frozen=True, slots=True)
class Reader:
    """One synthetic reader: subjects in order of strength, and a pace in words per second."""

    person: str
    tastes: tuple[str, ...]
    mood: int
    pace: float
    likes: int


@dataclass(frozen=True, slots=True)
class Like:
    """One line of the readers file; ``view_time`` is in seconds."""

    person: str
    content: str
    view_time: int

    def line(self) -> str:
        return json.dumps(
            {
                "person": self.person,
                "content": self.content,
                "liked": True,
                "view_time": self.view_time,
            }
        )


def read_items(library: Path, rng: Random) -> list[Item]:
    """Read the library and deal every item a mood and a place in the popularity order."""
    rows = [json.loads(line) for line in library.read_text(encoding="utf-8").splitlines()]
    places = shuffled(range(len(rows)), rng)
    return [
        Item(
            slug=row["id"],
            subjects=frozenset([category_subject(row["category"]), *row["tags"]]),
            words=len(row["text"].split()),
            mood=below(MOODS, rng),
            popularity=1 / (1 + place / POPULARITY_HALVES_AT),
        )
        for row, place in zip(rows, places, strict=True)
    ]


def category_subject(category: str) -> str:
    """Keep a category apart from a tag spelled the same way."""
    return f"category:{category}"


def draw_readers(items: Sequence[Item], rng: Random) -> Iterator[Reader]:
    """Draw ``READER_COUNT`` readers; categories and frequent tags can be tastes."""
    counts = Counter(subject for item in items for subject in item.subjects)
    categories = sorted(s for s in counts if s.startswith("category:"))
    tags = sorted(s for s in counts if s not in categories and counts[s] >= RAREST_TAG_AS_TASTE)
    slowest, fastest = WORDS_PER_SECOND
    for number in range(1, READER_COUNT + 1):
        tastes: list[str] = []
        wanted = 1 + below(len(TASTE_STRENGTHS), rng)
        while len(tastes) < wanted:
            subjects = categories if rng.random() < CATEGORY_TASTE_SHARE else tags
            taste = subjects[below(len(subjects), rng)]
            if taste not in tastes:
                tastes.append(taste)
        spread = rng.random() * rng.random()
        yield Reader(
            person=f"reader-{number:03d}",
            tastes=tuple(tastes),
            mood=below(MOODS, rng),
            pace=slowest + (fastest - slowest) * rng.random(),
            likes=FEWEST_LIKES + int(spread * (MOST_LIKES - FEWEST_LIKES + 1)),
        )


def affinity(reader: Reader, item: Item) -> float:
    """How strongly the reader's tastes and mood meet the item, popularity left aside."""
    strengths = zip(reader.tastes, TASTE_STRENGTHS, strict=False)
    taste = 0.0
    for subject, strength in strengths:
        if subject in item.subjects:
            taste += strength
    return taste * (1.0 if item.mood == reader.mood else OTHER_MOOD)


def draw_likes(reader: Reader, items: Sequence[Item], rng: Random) -> Iterator[Like]:
    """Draw the reader's distinct likes one by one, likelier items tending to come first."""
    left = list(items)
    for _ in range(reader.likes):
        weights = [item.popularity * (CURIOSITY + affinity(reader, item)) for item in left]
        item = left.pop(weighted(weights, rng))
        lingering = 0.7 + 0.6 * rng.random() + 0.3 * min(1.0, affinity(reader, item))
        yield Like(reader.person, item.slug, round(item.words / reader.pace * lingering))


def weighted(weights: Sequence[float], rng: Random) -> int:
    """Pick an index with probability in proportion to its weight."""
    # Not sum(): since Python 3.12 it rounds floats differently from 3.11.
    marks = list(accumulate(weights))
    return min(bisect_right(marks, rng.random() * marks[-1]), len(marks) - 1)


def below(limit: int, rng: Random) -> int:
    return int(rng.random() * limit)


def shuffled(numbers: Sequence[int], rng: Random) -> list[int]:
    left = list(numbers)
    return [left.pop(below(len(left), rng)) for _ in range(len(left))]


def make_lines(library: Path = LIBRARY, seed: int = SEED) -> list[str]:
    """Return every line of the readers file, without line ends, for one library and seed."""
    rng = Random(seed)
    items = read_items(library, rng)
    readers = list(draw_readers(items, rng))
    return [like.line() for reader in readers for like in draw_likes(reader, items, rng)]


def main() -> None:
    lines = make_lines()
    READERS.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(f"{READERS.name}: {len(lines)} synthetic likes of {READER_COUNT} readers")


if __name__ == "__main__":
    main()
