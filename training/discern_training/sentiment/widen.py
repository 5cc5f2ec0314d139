"""Extends an existing bundle's shared embeddings to all words of the present lexicon.

Needs no training: a word that joins gets the row that its group has. Nothing but the word table
and the tokenizer changes, so texts without such words are answered as before. With the open sets at
hand, the bundle also learns to read a name that no list holds as any other.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
from onnx import helper, numpy_helper
from tokenizers import Tokenizer

from discern.catalog.manifest import load_bundle
from discern.text.names import FILE
from discern_training.sentiment import swaps
from discern_training.sentiment.bundle import UNKNOWN_NAME, renew_manifest
from discern_training.sentiment.graph import ROWS, byte_rows
from discern_training.sentiment.ordinary import ordinary_words
from discern_training.sentiment.products import Floats
from discern_training.sentiment.rewrite import rewrite
from discern_training.sentiment.weights import read_weights


def widen(
    bundle: Path, output: Path, *, data: Path | None = None, version: str | None = None
) -> Mapping[str, Any] | None:
    """Copies ``bundle`` to ``output``, lets the words of the lexicon share, and writes the graph
    anew if this version has a faster one.

    Args:
        bundle: a bundle of the sentiment network.
        output: a new folder.
        data: the folder of public sets, to measure the bundle with (see ``rewrite``) and to know
            ordinary words from unknown names by (see ``discern.text.names``).
        version: the bundle's new version; as before if None.

    Returns:
        The figures, where it was measured.

    Raises:
        FileExistsError: ``output`` exists and is not empty.
        BundleInvalid: ``bundle`` is not a bundle.
        ValueError: its weights cannot be read back.
    """
    if output.exists() and any(output.iterdir()):
        raise FileExistsError(f"{output} is not empty; give a new folder.")
    load_bundle(bundle)
    table = read_weights(bundle / "model.onnx")["words.weight"]
    tokenizer = Tokenizer.from_file(str(bundle / "tokenizer.json"))
    table = swaps.join(tokenizer, table)
    shutil.copytree(bundle, output, dirs_exist_ok=True)
    tokenizer.save(str(output / "tokenizer.json"), pretty=False)
    replace_words(output / "model.onnx", table)
    preprocessing = {}
    if data is not None:
        (output / FILE).write_bytes(ordinary_words(data))
        preprocessing[UNKNOWN_NAME] = swaps.stand_in(tokenizer)
    renew_manifest(output, preprocessing)
    return rewrite(output, data=data, version=version)


def replace_words(path: Path, table: Floats) -> None:
    """Gives a bundle's graph another word table, float32 [tokens, width]; all else stays as it is,
    byte for byte.

    Raises:
        ValueError: the graph has no word table of 8 bits.
    """
    model = onnx.load(str(path))
    graph = model.graph
    held = {item.name for item in graph.initializer}
    if not {"words.codes", "words.scale"} <= held:
        raise ValueError(f"{path.name} has no word table of 8 bits")
    if ROWS not in held:
        for node in graph.node:
            if node.op_type == "Gather" and node.input[0] in ("words.codes", "words.scale"):
                node.input[1] = "rows"
        graph.node.insert(0, helper.make_node("Gather", [ROWS, "input_ids"], ["rows"], name="rows"))
    stored = byte_rows(table)
    kept = [item for item in graph.initializer if item.name not in stored]
    del graph.initializer[:]
    graph.initializer.extend(
        [numpy_helper.from_array(value, name) for name, value in stored.items()] + kept
    )
    onnx.save(model, str(path))
