"""Hidden words and labels, learned together before the first stage.

The pretrained encoder was made to compare sentences. Naming hidden words of film reviews (Devlin et
al. 2018, arXiv:1810.04805), and more often of those words that tell good reviews from bad ones,
teaches it how opinions are put; the label beside them keeps the pooled vector about the mood.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the customary name
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from discern.text.normalize import normalize
from discern_training.sentiment.config import Masking, Stage, leg_end
from discern_training.sentiment.data import Example
from discern_training.sentiment.encoder import SentimentEncoder
from discern_training.sentiment.mix import sample, vary
from discern_training.sentiment.optimize import apply_gradients

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]
Row = tuple[list[int], Example]
_SAVE_EVERY_S: Final = 240.0
_LOG_EVERY: Final = 100
# A word named rarely is learned badly and makes the output layer large.
_RARE: Final = 15
# Reviews a word must be in before its side counts as known.
_SEEN: Final = 25
# A text's label counts like so many hidden words; a review's, which its part may not show, half.
_LABEL: Final = 8.0
_REVIEW_LABEL: Final = 4.0


@dataclass(frozen=True, slots=True)
class Corpus:
    """The texts as token ids without the marks at both ends, and what may be hidden: ``known``
    holds the ids that have a place in the output layer, ``index`` the place of each id or -1, and
    ``often`` and ``telling`` the chance of each id to be hidden in short texts and in reviews."""

    reviews: list[Row]
    short: list[Row]
    known: Ids
    index: Ids
    often: Floats
    telling: Floats
    counts: Floats


@dataclass(frozen=True, slots=True)
class Hidden:
    """Token ids with some replaced, mask, which were chosen, their places in the output layer, the
    texts' labels, which texts are of two-class sets, and how much each label counts."""

    ids: Tensor
    mask: Tensor
    chosen: Tensor
    words: Tensor
    labels: Tensor
    two_class: Tensor
    weights: Tensor


class WordHead(nn.Module):
    """Names hidden words: vectors [words, width] to logits [words, known words]. Begins at the
    word table and at the words' frequencies."""

    def __init__(self, model: SentimentEncoder, corpus: Corpus) -> None:
        super().__init__()
        width = model.sizes.width
        self.up, self.down = nn.Linear(width, width), nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.words = nn.Parameter(model.words.weight.detach()[corpus.known].clone())
        chances = np.log(corpus.counts[corpus.known] / corpus.counts.sum())
        self.bias = nn.Parameter(torch.tensor(chances, dtype=torch.float32))
        nn.init.normal_(self.up.weight, std=0.05)
        nn.init.zeros_(self.down.weight)
        nn.init.constant_(self.norm.weight, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(self.norm(x + self.down(F.gelu(self.up(x)))), self.words, self.bias)


def read_corpus(
    sets: dict[str, list[Example]], tokenizer: Tokenizer, plan: Masking, rng: Random
) -> Corpus:
    """The texts of ``plan.mix``, encoded; those of ``imdb`` whole, the others varied as in a
    stage and cut to a window."""

    def encode(texts: list[str]) -> list[list[int]]:
        found = tokenizer.encode_batch_fast([normalize(text) for text in texts])
        return [item.ids[1:-1] for item in found]

    reviews = list(zip(encode([e.text for e in sets["imdb"]]), sets["imdb"], strict=True))
    stage = Stage("masked", 1)
    short: list[Row] = []
    for name, copies in plan.mix.items():
        examples = list(sample(sets[name], copies, 0))
        texts = encode([vary(example, stage, rng) for example in examples])
        found = zip(texts, examples, strict=True)
        short += [(ids[: plan.window], example) for ids, example in found if ids]
    size = tokenizer.get_vocab_size()
    counts = np.zeros(size)
    for ids, _ in (*reviews, *short):
        np.add.at(counts, ids, 1)
    known = np.flatnonzero(counts >= _RARE)
    index = np.full(size, -1, np.int64)
    index[known] = np.arange(len(known))
    often = np.where(index >= 0, plan.hidden, 0.0)
    more = (plan.hidden_telling - plan.hidden) * telling(reviews, size)
    return Corpus(reviews, short, known, index, often, often + (index >= 0) * more, counts)


def telling(reviews: Sequence[Row], size: int) -> Floats:
    """How far each token tells good reviews from bad ones, [0, 1]: its log odds, by the number of
    reviews that have it (naive Bayes)."""
    good, bad = np.ones(size), np.ones(size)
    for ids, example in reviews:
        (good if example.label == 2 else bad)[np.unique(ids)] += 1
    odds = np.abs(np.log(good / good.sum()) - np.log(bad / bad.sum()))
    odds[good + bad < _SEEN] = 0.0
    return np.asarray(np.clip(odds - 0.15, 0.0, 1.0))


def parts(corpus: Corpus, plan: Masking, rng: Random) -> list[list[Row]]:
    """The batches of one epoch: reviews cut to windows at random places, short texts whole, like
    lengths together, in random order."""
    rows = list(corpus.short)
    for ids, example in corpus.reviews:
        cuts = [0, *range(rng.randint(20, plan.window), len(ids), plan.window), len(ids)]
        windows = [ids[a:b] for a, b in pairwise(cuts)]
        rows += [(window, example) for window in windows if len(window) >= 12]
    rows.sort(key=lambda row: len(row[0]) + 3 * rng.random())
    result: list[list[Row]] = [[]]
    longest = 0
    for row in rows:
        longest = max(longest, len(row[0]) + 2)
        if result[-1] and (len(result[-1]) + 1) * longest > plan.batch_tokens:
            result.append([])
            longest = len(row[0]) + 2
        result[-1].append(row)
    rng.shuffle(result)
    return result


def hide(
    rows: Sequence[Row], corpus: Corpus, marks: tuple[int, int, int], seed: Sequence[int]
) -> Hidden:
    """Hides words of a batch: eight of ten become the mask, one another word, one stays. ``marks``
    are the ids of the beginning, the end and the mask."""
    begin, end, mask_id = marks
    rng = np.random.default_rng(seed)
    ids = np.zeros((len(rows), max(len(text) for text, _ in rows) + 2), np.int64)
    for row, (text, _) in enumerate(rows):
        ids[row, : len(text) + 2] = [begin, *text, end]
    review = np.array([example.source == "imdb" for _, example in rows])
    chance = np.where(review[:, None], corpus.telling[ids], corpus.often[ids])
    chance[(ids == begin) | (ids == end) | (ids == 0)] = 0.0
    chosen = rng.random(ids.shape) < chance
    fate = rng.random(ids.shape)
    shown = np.where(chosen & (fate < 0.8), mask_id, ids)
    other = chosen & (fate >= 0.9)
    shown[other] = rng.choice(corpus.known, other.sum())
    return Hidden(
        torch.from_numpy(shown),
        torch.from_numpy((ids != 0).astype(np.int64)),
        torch.from_numpy(chosen),
        torch.from_numpy(corpus.index[ids[chosen]]),
        torch.tensor([example.label for _, example in rows]),
        torch.tensor([example.two_class for _, example in rows]),
        torch.tensor(np.where(review, _REVIEW_LABEL, _LABEL), dtype=torch.float32),
    )


def loss_of(model: SentimentEncoder, head: WordHead, batch: Hidden) -> tuple[Tensor, Tensor]:
    """The cross-entropy of the hidden words and that of the labels, each summed."""
    with torch.autocast("cpu", torch.bfloat16):
        states = model.states(batch.ids, batch.mask)
        named = head(states[batch.chosen])
    words = F.cross_entropy(named.float(), batch.words, reduction="sum")
    logits = model.head(model.pool(states, batch.mask))
    closed = torch.zeros_like(logits)
    closed[:, 1] = batch.two_class.to(logits.dtype) * -1e4
    labels = F.cross_entropy(logits + closed, batch.labels, reduction="none")
    return words, (labels * batch.weights).sum()


class MaskedPass:
    """The pass over a model whose head is fresh. ``folder`` receives ``masked.part.pt``, from which
    a stopped pass goes on, ``log.jsonl``, and at the end of each leg ``stage-masked-N.pt`` with its
    number, the first being 1."""

    def __init__(
        self,
        model: SentimentEncoder,
        corpus: Corpus,
        plan: Masking,
        folder: Path,
        *,
        marks: tuple[int, int, int],
        seed: int,
        workers: int = 2,
    ) -> None:
        self.model, self.corpus, self.plan, self.folder = model, corpus, plan, folder
        self.marks, self.seed, self.workers = marks, seed, workers
        self.head = WordHead(model, corpus)
        self.params = [*model.parameters(), *self.head.parameters()]
        self.optimizers = _optimizers(model, self.head, plan.rate)
        self.leg = self.tokens = self.step = 0  # ``tokens`` of the leg
        self._saved = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)

    def run(self) -> None:
        """Reads the tokens of ``plan.legs``, or what is left of them."""
        self._resume()
        self.model.eval()  # without dropout: what is hidden is noise enough
        loss = np.zeros(3)
        with ThreadPoolExecutor(self.workers) as pool:
            for group in self._groups(self.step):
                if self.tokens >= self.plan.legs[self.leg]:
                    end = self.folder / f"stage-{leg_end(self.leg + 1)}.pt"
                    torch.save(self.model.state_dict(), end)
                    if self.leg + 1 == len(self.plan.legs):
                        break
                    self.leg, self.tokens = self.leg + 1, 0
                    self.optimizers = _optimizers(self.model, self.head, self.plan.rate)
                loss += self._learn(group, pool)
                self.step += 1
                if self.step % _LOG_EVERY == 0:
                    self._log(loss)
                    loss[:] = 0
                if time.monotonic() - self._saved > _SAVE_EVERY_S:
                    self._save()
        (self.folder / "masked.part.pt").unlink(missing_ok=True)

    def _groups(self, skip: int) -> Iterator[list[list[Row]]]:
        """The batches of each step from step ``skip`` on, epoch after epoch."""
        epoch = step = 0
        while True:
            found = parts(self.corpus, self.plan, Random(f"{self.seed}/masked/{epoch}"))
            for start in range(0, len(found) - self.workers + 1, self.workers):
                if step >= skip:
                    yield found[start : start + self.workers]
                step += 1
            epoch += 1

    def _learn(self, group: list[list[Row]], pool: ThreadPoolExecutor) -> NDArray[np.float64]:
        """One step; returns the words' loss, their number and the labels' loss."""

        def gradients(item: tuple[int, list[Row]]) -> tuple[tuple[float, ...], Any]:
            number, rows = item
            batch = hide(rows, self.corpus, self.marks, (self.seed, self.step, number))
            words, labels = loss_of(self.model, self.head, batch)
            found = torch.autograd.grad(words + labels, self.params)
            sums = (float(words.detach()), len(batch.words), float(labels.detach()))
            return (*sums, int(batch.mask.sum())), found

        results = list(pool.map(gradients, enumerate(group)))
        sums = np.array([stats for stats, _ in results]).sum(0)
        apply_gradients(self.params, [found for _, found in results], max(int(sums[1]), 1))
        done = self.tokens / self.plan.legs[self.leg]
        scale = min(1.0, (done + 1e-3) / self.plan.warmup) * (1.0 - done)
        for optimizer in self.optimizers:
            for options in optimizer.param_groups:
                options["lr"] = options["base"] * scale
            optimizer.step()
        self.tokens += int(sums[3])
        return np.asarray(sums[:3])

    def _resume(self) -> None:
        path = self.folder / "masked.part.pt"
        if path.is_file():
            state = torch.load(path, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.head.load_state_dict(state["head"])
            for optimizer, found in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(found)
            self.leg, self.tokens, self.step = state["leg"], state["tokens"], state["step"]

    def _save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "head": self.head.state_dict(),
            "optimizers": [item.state_dict() for item in self.optimizers],
            "leg": self.leg,
            "tokens": self.tokens,
            "step": self.step,
        }
        partial = self.folder / "masked.part.pt.part"
        torch.save(state, partial)
        partial.replace(self.folder / "masked.part.pt")
        self._saved = time.monotonic()

    def _log(self, loss: NDArray[np.float64]) -> None:
        words = round(float(loss[0] / max(loss[1], 1.0)), 3)
        line = json.dumps({"masked": self.step, "tokens": self.tokens, "loss_of_a_word": words})
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
        print(line, flush=True)


def _optimizers(
    model: SentimentEncoder, head: WordHead, rate: float
) -> list[torch.optim.Optimizer]:
    """AdamW, the fresh layers three times as fast, and sparse Adam for the word table."""

    def group(params: Sequence[Tensor], rate: float, decay: float) -> dict[str, Any]:
        return {"params": list(params), "lr": rate, "base": rate, "weight_decay": decay}

    matrices = [param for param in model.layers.parameters() if param.ndim > 1]
    vectors = [param for param in model.layers.parameters() if param.ndim == 1]
    vectors += [*model.positions.parameters(), *model.embedding_norm.parameters()]
    fresh = [head.up.weight, head.down.weight]
    rest = [head.up.bias, head.down.bias, head.words, head.bias]
    rest += [*head.norm.parameters(), *model.head.parameters()]
    groups = [
        group(matrices, rate, 0.01),
        group(vectors, rate, 0.0),
        group(fresh, 3 * rate, 0.01),
        group(rest, 3 * rate, 0.0),
    ]
    words = [{"params": [model.words.weight], "lr": rate, "base": rate}]
    return [
        torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-6, fused=True),
        torch.optim.SparseAdam(words),
    ]
