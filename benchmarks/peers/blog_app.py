"""The usual tutorial's sentiment API, written anew: Flask around a transformers pipeline.

A DistilBERT architecture with random weights stands for the pipeline's default model: it costs
exactly as much time and memory, and its answers mean nothing. ``python blog_app.py`` runs it the
way tutorials do, in Flask's own server with ``debug=True``; gunicorn takes ``blog_app:app``.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from flask import Flask, Response, jsonify, request
from transformers import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedTokenizerFast,
    pipeline,
)

torch.manual_seed(0)
tokenizer = PreTrainedTokenizerFast(
    tokenizer_file=str(Path(os.environ["BENCH_MODEL"]) / "tokenizer.json"),
    cls_token="[CLS]",
    sep_token="[SEP]",
    pad_token="[PAD]",
    unk_token="[UNK]",
    mask_token="[MASK]",
)
# The tokenizer knows a few more tokens than DistilBERT's own; looking one up costs the same.
config = DistilBertConfig(num_labels=2, vocab_size=max(len(tokenizer), 30_522))
network = DistilBertForSequenceClassification(config).eval()
analyzer = pipeline("sentiment-analysis", model=network, tokenizer=tokenizer, device="cpu")
app = Flask(__name__)


@app.route("/analyze", methods=["POST"])
def analyze() -> Response | tuple[Response, int]:
    text = request.json.get("text", "")
    if not text:
        return jsonify({"error": "No text provided"}), 400
    answer = analyzer(text)[0]
    return jsonify({"text": text, "sentiment": answer["label"], "score": answer["score"]})


if __name__ == "__main__":
    app.run(port=int(os.environ["BENCH_PORT"]), debug=True)
