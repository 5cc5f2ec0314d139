"""Sentence embeddings of the shipped encoder: one JSON job on standard input.

``{"bundle": FOLDER, "texts": [...], "tokens": N, "output": FILE}``. The encoder answers with
logits; what goes into its last layer, the mean over tokens, is made an output of its own.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

AT_ONCE = 8


def main() -> None:
    job = json.load(sys.stdin)
    bundle = Path(job["bundle"])
    graph = onnx.load(str(bundle / "model.onnx"))
    pooled = next(node.input[0] for node in reversed(graph.graph.node) if node.op_type == "Gemm")
    graph.graph.output.append(onnx.ValueInfoProto(name=pooled))
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(bundle / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(job["tokens"])
    ids = [encoding.ids for encoding in tokenizer.encode_batch(job["texts"])]
    order = np.argsort([len(row) for row in ids])
    made: dict[int, NDArray[np.float32]] = {}
    began = time.process_time()
    for start in range(0, len(order), AT_ONCE):
        part = order[start : start + AT_ONCE]
        width = max(len(ids[at]) for at in part)
        feed = np.zeros((len(part), width), dtype=np.int64)
        mask = np.zeros_like(feed)
        for row, at in enumerate(part):
            feed[row, : len(ids[at])] = ids[at]
            mask[row, : len(ids[at])] = 1
        vectors = session.run([pooled], {"input_ids": feed, "attention_mask": mask})[0]
        made.update(zip(part.tolist(), vectors, strict=True))
    np.save(job["output"], np.stack([made[at] for at in range(len(ids))]).astype(np.float32))
    print(json.dumps({"cpu_s": time.process_time() - began}))


if __name__ == "__main__":
    main()
