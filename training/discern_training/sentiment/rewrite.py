"""Writes a bundle's graph anew from its own weights, as this version would write it.

For bundles made by an earlier version, whose graph is slower, and for those whose weights another
command has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from discern.catalog.manifest import load_bundle
from discern_training.sentiment.bundle import renew_manifest
from discern_training.sentiment.export import SHIPPED_KIND, describe, write_graph
from discern_training.sentiment.weights import read_kind, read_weights


def rewrite(
    folder: Path, *, data: Path | None = None, version: str | None = None
) -> Mapping[str, Any] | None:
    """Rewrites ``model.onnx`` of the bundle ``folder``, unless it is as it would be, and the
    digests in its manifest.

    Args:
        folder: a bundle of the sentiment network.
        data: the folder of public sets. With it the bundle is measured anew, and card and manifest
            say what was found; without it both keep the figures of the graph before.
        version: the bundle's new version; as before if None.

    Returns:
        The figures, where it was measured.

    Raises:
        BundleInvalid: ``folder`` is not a bundle.
        ValueError: its weights cannot be read back.
    """
    load_bundle(folder)
    model = folder / "model.onnx"
    state = read_weights(model)
    # Rounding weights anew is a loss, if a small one: not without need.
    if read_kind(model) != SHIPPED_KIND:
        fresh = folder / "model.onnx.part"
        write_graph(state, folder / "tokenizer.json", fresh)
        fresh.replace(model)
    changes: dict[str, Any] = {"version": version} if version else {}
    fields = renew_manifest(folder, **changes)
    return describe(state, data, folder, fields) if data is not None else None
