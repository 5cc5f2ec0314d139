"""A made-up catalogue that both recommenders are measured on."""

from __future__ import annotations

import random
from typing import Any

SYLLABLES = ("ka", "lo", "mi", "re", "tu", "sa", "ne", "vo", "pi", "da", "ru", "el", "an", "or")


def made_up(size: int) -> list[dict[str, Any]]:
    """``size`` contents with a title of six words, a text of sixty, a category and three tags."""
    rng = random.Random(5)
    words = ["".join(rng.choices(SYLLABLES, k=3)) for _ in range(8000)]
    return [
        {
            "title": " ".join(rng.choices(words, k=6)),
            "text": " ".join(rng.choices(words, k=60)),
            "category": f"category {rng.randrange(20)}",
            "tags": [f"tag{rng.randrange(200)}" for _ in range(3)],
        }
        for _ in range(size)
    ]
