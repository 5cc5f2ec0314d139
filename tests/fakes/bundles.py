"""Whole bundles around the little models, as the catalog wants them."""

from __future__ import annotations

import shutil
from pathlib import Path

from discern.catalog.manifest import Bundle, load_bundle, sha256_of
from discern.catalog.store import Store
from tests.fakes.words import LABELS, WINDOWS, write_tokenizer

FOLDER = Path(__file__).parent


def write_sentiment_bundle(
    folder: Path,
    *,
    name: str = "words",
    version: str = "1.0.0",
    slow: bool = False,
    preprocessing: str = WINDOWS,
) -> Bundle:
    """A bundle that really loads and answers: counts of the words "good" and "bad"."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder / "tokenizer.json")
    shutil.copyfile(FOLDER / ("slow.onnx" if slow else "words.onnx"), folder / "model.onnx")
    return write_manifest(folder, name=name, version=version, preprocessing=preprocessing)


def write_bundle(
    folder: Path, *, name: str = "words", version: str = "1.0.0", extra: str = WINDOWS
) -> Bundle:
    """A bundle around the tokenizer alone; ``extra`` is the TOML of its ``[preprocessing]``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder / "tokenizer.json")
    return write_manifest(folder, name=name, version=version, preprocessing=extra)


def write_manifest(
    folder: Path,
    *,
    name: str,
    version: str = "1.0.0",
    preprocessing: str = WINDOWS,
) -> Bundle:
    """A manifest for those of ``model.onnx`` and ``tokenizer.json`` that lie in the folder."""
    files = "".join(
        f'[[files]]\npath = "{file}"\nbytes = {(folder / file).stat().st_size}\n'
        f'sha256 = "{sha256_of(folder / file)}"\n'
        for file in ("model.onnx", "tokenizer.json")
        if (folder / file).exists()
    )
    (folder / "manifest.toml").write_text(
        f"""
name = "{name}"
version = "{version}"
task = "sentiment-analysis"
format = "onnx"
license = "Apache-2.0"
origin = "made by a test"
labels = [{", ".join(f'"{label}"' for label in LABELS)}]
inputs = ["input_ids", "attention_mask"]
outputs = ["logits"]
{files}
[preprocessing]
{preprocessing}
"""
    )
    return load_bundle(folder)


def sentiment_store(home: Path, *, slow: bool = False, name: str = "words") -> Store:
    """A store whose only model is that one; nothing is shipped with it."""
    write_sentiment_bundle(home / "models" / name / "1.0.0", name=name, slow=slow)
    return Store(home, shipped=home / "none")
