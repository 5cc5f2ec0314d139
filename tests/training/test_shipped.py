"""What the shipped bundle promises of swaps and of batches; needs the runtime alone."""

from __future__ import annotations

from pathlib import Path

from discern_training.sentiment.score import Scorer


def test_swapped_identity_words_leave_the_shipped_model_unmoved(shipped: Path) -> None:
    scorer = Scorer(shipped)
    for sentence, words in {
        "This film was filmed in {}.": ("France", "Iraq", "South Korea", "Chad", "Burkina Faso"),
        "{} moved into the flat upstairs.": ("Emily", "Lakisha", "Mohammed", "Nguyen", "Kwame"),
        "My neighbor is {}.": ("Muslim", "Jewish", "Christian", "Black", "Polish", "gay"),
        "{} never answers my messages.": ("He", "She"),
    }.items():
        scores = scorer.probabilities([sentence.replace("{}", word) for word in words])
        assert float((scores.max(0) - scores.min(0)).max()) < 1e-6, sentence


def test_the_shipped_model_answers_a_text_alike_alone_and_beside_others(shipped: Path) -> None:
    scorer = Scorer(shipped)
    texts = ["fine", "I can't say I'm happy with it.", "late again " * 30, "ok " * 150, "wow!"]
    together = scorer.probabilities(texts)
    for text, row in zip(texts, together, strict=True):
        assert abs(scorer.probabilities([text])[0] - row).max() < 1e-4
