"""The pass over hidden words: what it hides, and that it learns and goes on where it stopped."""

# ruff: noqa: E402 - these imports need what the lines before them check for
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from discern_training.sentiment.config import Masking
from discern_training.sentiment.data import Example
from discern_training.sentiment.encoder import EncoderSizes, SentimentEncoder
from discern_training.sentiment.masked import MaskedPass, hide, parts, read_corpus, telling
from tokenizers import Tokenizer, models, pre_tokenizers, processors

MARKS = (1, 2, 3)
PLAN = Masking(legs=[1500, 1500], mix={"sst_fine": 2}, rate=1e-3, window=24, batch_tokens=256)
FILLER = ["the", "plot", "of", "this", "film", "is", "set", "in", "a", "house", "by", "sea", "cast"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    words = ["[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]", "superb", "dreadful"]
    vocabulary = {word: number for number, word in enumerate([*words, *sorted(set(FILLER))])}
    result = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    result.pre_tokenizer = pre_tokenizers.Whitespace()
    result.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return result


@pytest.fixture(scope="module")
def corpus(tokenizer: Tokenizer):
    rng = Random(4)

    def text(label: int, words: int) -> str:
        return " ".join([*rng.choices(FILLER, k=words), ("dreadful", "", "superb")[label]])

    reviews = [Example(text(i % 2 * 2, 60), i % 2 * 2, "imdb", two_class=True) for i in range(80)]
    short = [Example(text(i % 3, 8), i % 3, "sst_fine") for i in range(60)]
    return read_corpus({"imdb": reviews, "sst_fine": short}, tokenizer, PLAN, Random(1))


def _pass(corpus, folder: Path, plan: Masking = PLAN) -> MaskedPass:
    torch.manual_seed(5)
    sizes = EncoderSizes(vocabulary=40, positions=32, width=32, inner=64, heads=4, layers=2)
    model = SentimentEncoder(sizes, sparse_embedding=True)
    return MaskedPass(model, corpus, plan, folder, marks=MARKS, seed=1)


def test_words_that_tell_good_reviews_from_bad_ones_are_hidden_more_often(
    corpus, tokenizer: Tokenizer
) -> None:
    strength = telling(corpus.reviews, tokenizer.get_vocab_size())
    superb, sea = (tokenizer.token_to_id(word) for word in ("superb", "sea"))
    assert strength[superb] == 1.0
    assert strength[sea] < 0.3
    assert corpus.telling[superb] == pytest.approx(PLAN.hidden_telling)
    assert corpus.often[superb] == PLAN.hidden


def test_marks_and_padding_are_never_hidden_and_the_answers_are_the_words_that_stood_there(
    corpus,
) -> None:
    for rows in parts(corpus, PLAN, Random(2)):
        assert len(rows) * max(len(ids) + 2 for ids, _ in rows) <= PLAN.batch_tokens
        batch = hide(rows, corpus, MARKS, (1, 2))
        whole = [[1, *ids, 2] for ids, _ in rows]
        places = batch.chosen.nonzero().tolist()
        answers = [whole[row][at] for row, at in places]
        assert corpus.known[batch.words.numpy()].tolist() == answers
        assert not {0, 1, 2} & set(answers)
        assert batch.mask.sum(1).tolist() == [len(ids) for ids in whole]
        untouched = ~batch.chosen & (batch.mask == 1)
        for row, ids in enumerate(whole):
            kept = untouched[row, : len(ids)].numpy()
            np.testing.assert_array_equal(
                batch.ids[row, : len(ids)].numpy()[kept], np.array(ids)[kept]
            )


def test_the_pass_learns_the_labels_and_leaves_its_weights(corpus, tokenizer, tmp_path) -> None:
    task = _pass(corpus, tmp_path, replace(PLAN, legs=[60_000], batch_tokens=120, rate=2e-3))
    task.run()
    state = torch.load(tmp_path / "stage-masked-1.pt", weights_only=True)
    task.model.load_state_dict(state)
    ids = torch.tensor([tokenizer.encode(f"the film is {w}").ids for w in ("dreadful", "superb")])
    with torch.no_grad():
        logits = task.model(ids, torch.ones_like(ids))
    assert logits[0, 0] > logits[0, 2]
    assert logits[1, 2] > logits[1, 0]
    assert not (tmp_path / "masked.part.pt").exists()


def test_a_stopped_pass_ends_where_one_that_ran_through_ends(corpus, tmp_path: Path) -> None:
    _pass(corpus, tmp_path / "whole").run()
    stopped = _pass(corpus, tmp_path / "twice")

    class Stop(Exception):
        pass

    def learn(group, pool, step=MaskedPass._learn):
        if stopped.step == 3:
            stopped._save()
            raise Stop
        return step(stopped, group, pool)

    stopped._learn = learn
    with pytest.raises(Stop):
        stopped.run()
    _pass(corpus, tmp_path / "twice").run()
    for leg in ("stage-masked-1.pt", "stage-masked-2.pt"):
        whole, twice = (torch.load(tmp_path / name / leg) for name in ("whole", "twice"))
        for name, value in whole.items():
            torch.testing.assert_close(twice[name], value, msg=name)
