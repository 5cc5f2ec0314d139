"""The training loop: stages of a config file, on a CPU, resumable, on two threads."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import torch
import torch.nn.functional as F  # noqa: N812 - the customary name
from tokenizers import Tokenizer
from torch import Tensor

from discern_training.sentiment import sharing
from discern_training.sentiment.config import Stage
from discern_training.sentiment.data import Example
from discern_training.sentiment.encoder import SentimentEncoder
from discern_training.sentiment.mix import epoch_examples

_SAVE_EVERY_S: Final = 240.0
_AVERAGE_EVERY: Final = 5


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids, mask, labels, which rows are of two-class sets, and how many rows at the end
    are twins of the first rows."""

    ids: Tensor
    mask: Tensor
    labels: Tensor
    two_class: Tensor
    twins: int

    @property
    def texts(self) -> int:
        return len(self.labels) - self.twins


@dataclass(slots=True)
class Progress:
    """Where a run is: enough to go on after a stop."""

    stage: int = 0
    epoch: int = 0
    step: int = 0


def loss_of(logits: Tensor, batch: Batch, stage: Stage) -> Tensor:
    """Sum over texts of the cross-entropy, plus the twins' disagreement.

    Two-class rows leave the neutral logit out of the softmax. The disagreement is the
    symmetric Kullback-Leibler divergence between a text and its identity-swapped twin.
    """
    closed = torch.zeros_like(logits)
    closed[:, 1] = batch.two_class.to(logits.dtype) * -1e4
    log_p = F.log_softmax(logits + closed, dim=1)
    own = log_p.gather(1, batch.labels[:, None]).squeeze(1)
    classes = 3.0 - batch.two_class.to(logits.dtype)
    open_log_p = log_p.masked_fill(closed < 0, 0.0).sum(1) / classes
    loss = -((1 - stage.smoothing) * own + stage.smoothing * open_log_p)
    total = loss[: batch.texts].sum()
    if batch.twins:
        full = F.log_softmax(logits, dim=1)
        first, second = full[: batch.twins], full[batch.texts :]
        gap = ((first.exp() - second.exp()) * (first - second)).sum(1)
        total = total + stage.consistency * gap.sum() + 0.5 * loss[batch.texts :].sum()
    return total


def collate(rows: Sequence[tuple[list[int], list[int] | None, Example]]) -> Batch:
    """Rows are (ids, twin ids or None, example); rows with a twin come first in the batch."""
    rows = sorted(rows, key=lambda row: row[1] is None)
    twins = [(row[1], row[2]) for row in rows if row[1] is not None]
    ids = [row[0] for row in rows] + [twin for twin, _ in twins if twin is not None]
    examples = [row[2] for row in rows] + [example for _, example in twins]
    longest = max(map(len, ids))
    padded = torch.zeros(len(ids), longest, dtype=torch.long)
    mask = torch.zeros(len(ids), longest, dtype=torch.long)
    for index, item in enumerate(ids):
        padded[index, : len(item)] = torch.tensor(item)
        mask[index, : len(item)] = 1
    return Batch(
        padded,
        mask,
        torch.tensor([example.label for example in examples]),
        torch.tensor([example.two_class for example in examples]),
        len(twins),
    )


def batches(
    examples: Sequence[Example],
    tokenizer: Tokenizer,
    stage: Stage,
    rng: Random,
    shared: Sequence[int] | None = None,
) -> list[Batch]:
    """Length-sorted batches in random order; a batch holds at most ``stage.batch_texts`` texts
    and ``stage.batch_tokens`` padded tokens. ``shared`` replaces token ids (see ``sharing``);
    a twin that then equals its text is dropped."""

    def encode(texts: list[str]) -> list[list[int]]:
        found = _encode(texts, tokenizer, stage.max_tokens)
        return found if shared is None else [[shared[i] for i in ids] for ids in found]

    ids = encode([example.text for example in examples])
    paired = [index for index, example in enumerate(examples) if example.twin is not None]
    found = encode([examples[index].twin or "" for index in paired])
    twin_ids = {
        index: twin for index, twin in zip(paired, found, strict=True) if twin != ids[index]
    }
    order = sorted(range(len(examples)), key=lambda index: len(ids[index]) + rng.random())
    result: list[Batch] = []
    rows: list[tuple[list[int], list[int] | None, Example]] = []
    count = 0
    for index in order:
        width = max(len(ids[index]), len(twin_ids.get(index, ())))
        size = 2 if index in twin_ids else 1
        fits = count + size <= stage.batch_texts and (count + size) * width <= stage.batch_tokens
        if rows and not fits:
            result.append(collate(rows))
            rows, count = [], 0
        rows.append((ids[index], twin_ids.get(index), examples[index]))
        count += size
    if rows:
        result.append(collate(rows))
    rng.shuffle(result)
    return result


def _encode(texts: list[str], tokenizer: Tokenizer, limit: int) -> list[list[int]]:
    found = (encoding.ids for encoding in tokenizer.encode_batch_fast(texts))
    return [ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]] for ids in found]


class Trainer:
    """Runs stages over a model. ``folder`` receives ``checkpoint.pt`` and ``log.jsonl``."""

    def __init__(
        self,
        model: SentimentEncoder,
        tokenizer: Tokenizer,
        folder: Path,
        *,
        seed: int,
        evaluate: Callable[[SentimentEncoder], dict[str, Any]],
        workers: int = 2,
        shared_rows: Sequence[Sequence[int]] = (),
    ) -> None:
        self.model, self.tokenizer, self.folder = model, tokenizer, folder
        self.seed, self.evaluate, self.workers = seed, evaluate, workers
        self.average = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.progress = Progress()
        self.shared_rows = shared_rows
        self.saved_at = time.monotonic()
        self.started = time.monotonic()
        self.resume_state: dict[str, Any] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def resume(self) -> bool:
        """Loads the checkpoint if there is one."""
        path = self.folder / "checkpoint.pt"
        if not path.is_file():
            return False
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average = state["average"]
        self.progress = Progress(**state["progress"])
        self.resume_state = state["optimizers"]
        return True

    def run(self, stages: Sequence[Stage], sets: dict[str, list[Example]]) -> SentimentEncoder:
        """Trains through all stages; returns the model holding the averaged weights."""
        for index in range(self.progress.stage, len(stages)):
            self._run_stage(index, stages[index], sets)
        self.model.load_state_dict(self.average)
        return self.model

    def _run_stage(self, index: int, stage: Stage, sets: dict[str, list[Example]]) -> None:
        if index and self.progress.epoch == 0 and self.progress.step == 0:
            self._begin(stage)
        optimizers = _optimizers(self.model, stage)
        if self.resume_state is not None and self.progress.step:
            for name, state in self.resume_state.items():
                optimizers[name].load_state_dict(state)
        self.resume_state = None
        shared = (
            sharing.table(self.shared_rows, self.model.sizes.vocabulary) if stage.share else None
        )
        for epoch in range(self.progress.epoch, stage.epochs):
            rng = Random(f"{self.seed}/{index}/{epoch}")
            examples = epoch_examples(stage, sets, epoch, rng)
            found = batches(examples, self.tokenizer, stage, rng, shared)
            groups = [found[i : i + stage.group] for i in range(0, len(found), stage.group)]
            total = len(groups) * stage.epochs
            done = epoch * len(groups)
            self._log(
                event="epoch",
                stage=stage.name,
                epoch=epoch,
                texts=len(examples),
                steps=len(groups),
                tokens=sum(int(b.mask.sum()) for b in found),
            )
            self._run_epoch(stage, groups, optimizers, total, done)
            self.progress = Progress(index, epoch + 1, 0)
            self._save(optimizers)
            self._report(stage, epoch)
        self.progress = Progress(index + 1, 0, 0)

    def _begin(self, stage: Stage) -> None:
        """A later stage starts from the averaged weights of the one before."""
        if stage.share:
            sharing.merge(self.average["words.weight"], self.shared_rows)
        self.model.load_state_dict(self.average)
        self.average = {k: v.detach().clone() for k, v in self.average.items()}

    def _run_epoch(
        self,
        stage: Stage,
        groups: list[list[Batch]],
        optimizers: dict[str, torch.optim.Optimizer],
        total: int,
        done: int,
    ) -> None:
        self.model.train()
        params = [p for p in self.model.parameters() if p.requires_grad]
        began, tokens, loss_sum, texts_sum = time.monotonic(), 0, 0.0, 0
        with ThreadPoolExecutor(self.workers) as pool:
            for step in range(self.progress.step, len(groups)):
                group = groups[step]
                texts = sum(batch.texts for batch in group)
                jobs = [pool.submit(self._gradients, batch, stage, params) for batch in group]
                results = [job.result() for job in jobs]
                _apply(params, [grads for _, grads in results], texts)
                scale = _schedule((done + step + 1) / total, stage)
                for optimizer in optimizers.values():
                    for options in optimizer.param_groups:
                        options["lr"] = options["base"] * scale
                    optimizer.step()
                if step % _AVERAGE_EVERY == 0:
                    self._update_average(stage.average_decay**_AVERAGE_EVERY)
                tokens += sum(int(batch.mask.sum()) for batch in group)
                loss_sum += sum(loss for loss, _ in results)
                texts_sum += texts
                self.progress.step = step + 1
                if step % 50 == 49:
                    self._log(
                        event="step",
                        step=step + 1,
                        of=len(groups),
                        loss=round(loss_sum / texts_sum, 4),
                        tokens_per_second=round(tokens / (time.monotonic() - began)),
                    )
                    began, tokens, loss_sum, texts_sum = time.monotonic(), 0, 0.0, 0
                if time.monotonic() - self.saved_at > _SAVE_EVERY_S:
                    self._save(optimizers)

    def _gradients(self, batch: Batch, stage: Stage, params: list[Tensor]) -> tuple[float, Any]:
        with torch.autocast("cpu", torch.bfloat16, enabled=stage.bfloat16):
            logits = self.model(batch.ids, batch.mask)
        loss = loss_of(logits.float(), batch, stage)
        return float(loss.detach()), torch.autograd.grad(loss, params)

    @torch.no_grad()
    def _update_average(self, decay: float) -> None:
        for key, value in self.model.state_dict().items():
            self.average[key].lerp_(value, 1.0 - decay)

    def _save(self, optimizers: dict[str, torch.optim.Optimizer]) -> None:
        state = {
            "model": self.model.state_dict(),
            "average": self.average,
            "progress": asdict(self.progress),
            "optimizers": {name: item.state_dict() for name, item in optimizers.items()},
        }
        partial = self.folder / "checkpoint.part"
        torch.save(state, partial)
        partial.replace(self.folder / "checkpoint.pt")
        self.saved_at = time.monotonic()

    def _report(self, stage: Stage, epoch: int) -> None:
        if stage.share:
            sharing.spread(self.model.words.weight, self.shared_rows)
            sharing.spread(self.average["words.weight"], self.shared_rows)
        last = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.model.load_state_dict(self.average)
        figures = self.evaluate(self.model)
        self.model.load_state_dict(last)
        self._log(event="figures", stage=stage.name, epoch=epoch, average=figures)

    def _log(self, **fields: Any) -> None:
        fields["seconds"] = round(time.monotonic() - self.started)
        line = json.dumps(fields)
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
        print(line, file=sys.stderr, flush=True)


@torch.no_grad()
def _apply(params: list[Tensor], gradients: list[Any], texts: int, limit: float = 1.0) -> None:
    """Sums the batches' gradients into ``grad``, per text, with their norm held to ``limit``."""
    square = 0.0
    for param, parts in zip(params, zip(*gradients, strict=True), strict=True):
        grad = parts[0]
        for part in parts[1:]:
            grad = grad + part
        if grad.is_sparse:
            grad = grad.coalesce()
        param.grad = grad
        values = grad.values() if grad.is_sparse else grad
        values.div_(texts)
        square += float(values.square().sum())
    if square > limit * limit:
        for param in params:
            if param.grad is not None:
                values = param.grad.values() if param.grad.is_sparse else param.grad
                values.mul_(limit / square**0.5)


def _schedule(part: float, stage: Stage) -> float:
    """Linear warm-up, then linear decay to ``stage.final_rate``; ``part`` is in (0, 1]."""
    if part < stage.warmup:
        return part / stage.warmup
    rest = (part - stage.warmup) / (1.0 - stage.warmup)
    return 1.0 - (1.0 - stage.final_rate) * rest


def _optimizers(model: SentimentEncoder, stage: Stage) -> dict[str, torch.optim.Optimizer]:
    """AdamW with rates falling layer by layer toward the input, and sparse Adam for the word
    table, whose rows mostly have no gradient."""
    groups = [_group(model.head.named_parameters(), stage.head_rate)]
    rate = stage.rate
    for layer in reversed(model.layers):
        groups.append(_group(layer.named_parameters(), rate))
        rate *= stage.layer_decay
    rest = [*model.embedding_norm.named_parameters(), *model.positions.named_parameters()]
    groups.append(_group(iter(rest), rate))
    flat = [group for pair in groups for group in pair if group["params"]]
    result: dict[str, torch.optim.Optimizer] = {
        "dense": torch.optim.AdamW(flat, betas=(0.9, 0.98), eps=1e-6, fused=True)
    }
    if model.words.weight.requires_grad:
        words = [{"params": [model.words.weight], "lr": rate, "base": rate}]
        result["words"] = torch.optim.SparseAdam(words)
    return result


def _group(named: Iterator[tuple[str, Tensor]], rate: float) -> list[dict[str, Any]]:
    matrices, vectors = [], []
    for _, param in named:
        (matrices if param.ndim > 1 else vectors).append(param)
    return [
        {"params": matrices, "lr": rate, "base": rate, "weight_decay": 0.01},
        {"params": vectors, "lr": rate, "base": rate, "weight_decay": 0.0},
    ]
