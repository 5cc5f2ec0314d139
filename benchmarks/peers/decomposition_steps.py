"""The steps between the tutorial's pipeline and a batched small model, measured without a server.

``export FOLDER`` writes a DistilBERT with random weights as ONNX, float and int8. ``measure STEP
SECONDS BATCH`` reads lists of texts, one JSON array a line, and answers each with how many texts a
second this process manages, ``BATCH`` at a time; an empty list is answered with 0 when it is ready.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from tokenizers import Tokenizer

from sentiment import Sentiment

Analyze = Callable[[list[str]], object]


def export(folder: Path) -> None:
    """``float/`` and ``int8/``, each with ``model.onnx`` and the tokenizer."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    torch.manual_seed(0)
    tokenizer = Path(os.environ["BENCH_MODEL"]) / "tokenizer.json"
    words = Tokenizer.from_file(str(tokenizer)).get_vocab_size()
    config = DistilBertConfig(num_labels=3, vocab_size=words, attn_implementation="eager")

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = DistilBertForSequenceClassification(config)

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            # A mask of four axes passes through as it is, where building one cannot be traced.
            mask = (1.0 - attention_mask[:, None, None, :].float()) * -1e4
            return self.network(input_ids=input_ids, attention_mask=mask).logits

    for name in ("float", "int8"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(tokenizer, folder / name)
    ids = torch.randint(1000, 20000, (2, 12))
    axes = {0: "batch", 1: "tokens"}
    warnings.simplefilter("ignore")
    torch.onnx.export(
        Logits().eval(),
        (ids, torch.ones_like(ids)),
        str(folder / "float" / "model.onnx"),
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(
        folder / "float" / "model.onnx",
        folder / "int8" / "model.onnx",
        weight_type=QuantType.QInt8,
        per_channel=True,
    )


def pipeline_step() -> Analyze:
    """The tutorial's own line of code."""
    import torch

    torch.set_num_threads(1)
    from blog_app import analyzer

    analyze: Analyze = analyzer
    return analyze


def torch_step() -> Analyze:
    """The same network without the pipeline around it."""
    import torch

    torch.set_num_threads(1)
    from blog_app import network, tokenizer

    def analyze(texts: list[str]) -> object:
        with torch.inference_mode():
            inputs = tokenizer(texts, return_tensors="pt", padding=True)
            logits = network(inputs["input_ids"], inputs["attention_mask"]).logits
            return logits.softmax(-1).tolist()

    return analyze


def onnx_step() -> Analyze:
    """Whatever ``BENCH_MODEL`` holds, in ONNX Runtime."""
    return Sentiment(1).analyze


STEPS = {"pipeline": pipeline_step, "torch": torch_step, "onnx": onnx_step}


def measure(analyze: Analyze, texts: list[str], seconds: float, batch: int) -> float:
    """Texts per second of processor time, all threads counted, after a fifth of it to warm up.

    By processor time, so that what else the machine does meanwhile takes nothing from any step;
    with the cores to itself the process is as fast by the clock.
    """
    done = at = 0
    warm, began = True, time.process_time()
    while True:
        used = time.process_time() - began
        if warm and used >= seconds / 5:
            warm, done, began = False, 0, time.process_time()
        elif not warm and done and used >= seconds:
            return done / used
        analyze(texts[at : at + batch])
        done += batch
        at = (at + batch) % len(texts)


def main() -> None:
    if sys.argv[1] == "export":
        export(Path(sys.argv[2]))
        return
    step, seconds, batch = sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    analyze = STEPS[step]()
    for line in sys.stdin:
        # Its neighbor on the other core starts in the same moment, when it is ready too.
        texts = json.loads(line)
        print(json.dumps(measure(analyze, texts, seconds, batch) if texts else 0.0), flush=True)


if __name__ == "__main__":
    main()
