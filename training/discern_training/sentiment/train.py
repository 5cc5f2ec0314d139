"""The training loop: stages of a config file, on a CPU, resumable, on several threads."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import torch
from tokenizers import Tokenizer
from torch import Tensor

from discern_training.sentiment import sharing
from discern_training.sentiment.batching import Batch, batches
from discern_training.sentiment.config import Stage
from discern_training.sentiment.data import Example
from discern_training.sentiment.encoder import SentimentEncoder
from discern_training.sentiment.mix import epoch_examples
from discern_training.sentiment.optimize import (
    apply_gradients,
    loss_of,
    optimizers_of,
    schedule,
)

_CHECKPOINT: Final = "checkpoint.pt"
_SAVE_EVERY_S: Final = 240.0
_LOG_EVERY: Final = 50
_AVERAGE_EVERY: Final = 5


@dataclass(slots=True)
class Progress:
    """Where a run is: enough to go on after a stop."""

    stage: int = 0
    epoch: int = 0
    step: int = 0


class Stepper:
    """One optimizer step after another: the batches of a step are computed side by side, each on
    one thread, which on a busy machine loses less than one product split over all threads."""

    def __init__(self, model: SentimentEncoder, stage: Stage, pool: Executor) -> None:
        self.model, self.stage, self.pool = model, stage, pool
        self.params = [param for param in model.parameters() if param.requires_grad]
        self.optimizers = optimizers_of(model, stage)

    def step(self, group: Sequence[Batch], part: float) -> float:
        """Learns from a group of batches; ``part`` of the stage is done after it. Returns the
        loss summed over texts."""
        results = list(self.pool.map(self._gradients, group))
        texts = sum(batch.texts for batch in group)
        apply_gradients(self.params, [gradients for _, gradients in results], texts)
        scale = schedule(part, self.stage)
        for optimizer in self.optimizers.values():
            for options in optimizer.param_groups:
                options["lr"] = options["base"] * scale
            optimizer.step()
        return sum(loss for loss, _ in results)

    def _gradients(self, batch: Batch) -> tuple[float, Any]:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.stage.bfloat16):
            logits = self.model(batch.ids, batch.mask)
        loss = loss_of(logits.float(), batch, self.stage)
        return float(loss.detach()), torch.autograd.grad(loss, self.params)


class Average:
    """An exponential moving average of a model's weights (Polyak averaging)."""

    def __init__(self, model: SentimentEncoder) -> None:
        self.weights = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self._steps = 0

    @torch.no_grad()
    def update(self, model: SentimentEncoder, decay: float) -> None:
        """Call after every step; works on every fifth, with ``decay`` to the fifth power."""
        self._steps += 1
        if self._steps % _AVERAGE_EVERY == 0:
            for key, value in model.state_dict().items():
                self.weights[key].lerp_(value, 1.0 - decay**_AVERAGE_EVERY)


def weighted(states: Sequence[dict[str, Tensor]], weights: Sequence[float]) -> dict[str, Tensor]:
    """The weighted sum of several models' weights (model soups, Wortsman et al. 2022,
    arXiv:2203.05482; task arithmetic, Ilharco et al. 2023, arXiv:2212.04089). Where one of them
    is taken away, what is left is what a pass has learned, which has no head: the head is the
    first's."""
    whole = min(weights) > 0
    return {
        key: states[0][key].clone()
        if key.startswith("head.") and not whole
        else sum(
            (weight * state[key] for weight, state in zip(weights, states, strict=True)),
            torch.zeros_like(states[0][key]),
        )
        for key in states[0]
    }


class Trainer:
    """Runs stages over a model. ``folder`` receives ``checkpoint.pt``, ``log.jsonl`` and, for each
    stage that ended, its averaged weights as ``stage-NAME.pt``.

    ``evaluate`` gives figures of a model, for the log; ``shared_rows`` are the token ids that
    get one embedding in stages that ask for it.
    """

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
        self.shared_rows = shared_rows
        self.average = Average(model)
        self.progress = Progress()
        self._optimizer_state: dict[str, Any] = {}
        self._began = self._saved = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)

    def resume(self) -> bool:
        """Loads the checkpoint if there is one."""
        path = self.folder / _CHECKPOINT
        if not path.is_file():
            return False
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.weights = state["average"]
        self.progress = Progress(**state["progress"])
        self._optimizer_state = state["optimizers"]
        return True

    def run(self, stages: Sequence[Stage], sets: dict[str, list[Example]]) -> SentimentEncoder:
        """Trains through the stages that are left; returns the model with averaged weights."""
        with ThreadPoolExecutor(self.workers) as pool:
            for index in range(self.progress.stage, len(stages)):
                self._run_stage(index, stages[index], sets, pool)
        self.model.load_state_dict(self.average.weights)
        return self.model

    def _run_stage(
        self, index: int, stage: Stage, sets: dict[str, list[Example]], pool: Executor
    ) -> None:
        fresh = (self.progress.epoch, self.progress.step) == (0, 0)
        if fresh and (index or stage.start):
            self._begin(stage)
        stepper = Stepper(self.model, stage, pool)
        if not fresh:
            for name, state in self._optimizer_state.items():
                stepper.optimizers[name].load_state_dict(state)
        for epoch in range(self.progress.epoch, stage.epochs):
            groups = self._groups(index, stage, epoch, sets)
            self._run_epoch(stepper, groups, epoch)
            self.progress = Progress(index, epoch + 1, 0)
            self._save(stepper)
            self._report(stage, epoch)
        torch.save(self.average.weights, self.folder / f"stage-{stage.name}.pt")
        self.progress = Progress(index + 1, 0, 0)

    def _groups(
        self, index: int, stage: Stage, epoch: int, sets: dict[str, list[Example]]
    ) -> list[list[Batch]]:
        rng = Random(f"{self.seed}/{index}/{epoch}")
        examples = epoch_examples(stage, sets, epoch, rng)
        vocabulary = self.model.sizes.vocabulary
        shared = sharing.table(self.shared_rows, vocabulary) if stage.share else None
        found = batches(examples, self.tokenizer, stage, rng, shared)
        groups = [found[i : i + stage.group] for i in range(0, len(found), stage.group)]
        tokens = sum(batch.tokens for batch in found)
        texts = len(examples)
        self._log(stage=stage.name, epoch=epoch, texts=texts, steps=len(groups), tokens=tokens)
        return groups

    def _begin(self, stage: Stage) -> None:
        """A later stage starts from the averaged weights of the one before, or from a sum."""
        if stage.start:
            ends = [self.folder / f"stage-{name}.pt" for name in stage.start]
            states = [torch.load(end, weights_only=True) for end in ends]
            self.average.weights = weighted(states, list(stage.start.values()))
        if stage.share:
            sharing.merge(self.average.weights["words.weight"], self.shared_rows)
        self.model.load_state_dict(self.average.weights)
        self.average = Average(self.model)

    def _run_epoch(self, stepper: Stepper, groups: list[list[Batch]], epoch: int) -> None:
        self.model.train()
        stage, total = stepper.stage, len(groups) * stepper.stage.epochs
        began, loss, texts, tokens = time.monotonic(), 0.0, 0, 0
        for step in range(self.progress.step, len(groups)):
            loss += stepper.step(groups[step], (epoch * len(groups) + step + 1) / total)
            self.average.update(self.model, stage.average_decay)
            texts += sum(batch.texts for batch in groups[step])
            tokens += sum(batch.tokens for batch in groups[step])
            self.progress.step = step + 1
            if self.progress.step % _LOG_EVERY == 0:
                rate = round(tokens / (time.monotonic() - began))
                self._log(step=step + 1, loss=round(loss / texts, 4), tokens_per_second=rate)
                began, loss, texts, tokens = time.monotonic(), 0.0, 0, 0
            if time.monotonic() - self._saved > _SAVE_EVERY_S:
                self._save(stepper)

    def _save(self, stepper: Stepper) -> None:
        state = {
            "model": self.model.state_dict(),
            "average": self.average.weights,
            "progress": asdict(self.progress),
            "optimizers": {name: item.state_dict() for name, item in stepper.optimizers.items()},
        }
        partial = self.folder / f"{_CHECKPOINT}.part"
        torch.save(state, partial)
        partial.replace(self.folder / _CHECKPOINT)
        self._saved = time.monotonic()

    def _report(self, stage: Stage, epoch: int) -> None:
        if stage.share:
            sharing.spread(self.model.words.weight, self.shared_rows)
            sharing.spread(self.average.weights["words.weight"], self.shared_rows)
        last = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.model.load_state_dict(self.average.weights)
        figures = self.evaluate(self.model)
        self.model.load_state_dict(last)
        self._log(stage=stage.name, epoch=epoch, figures=figures)

    def _log(self, **fields: Any) -> None:
        line = json.dumps({**fields, "seconds": round(time.monotonic() - self._began)})
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
        print(line, flush=True)
