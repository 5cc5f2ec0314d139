"""Packs a trained network into a bundle folder."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer

SHIPPED: Final = "sentiment-en"
READING: Final[dict[str, Any]] = {
    "normalize": "v1",
    "max_tokens": 192,
    "stride": 142,
    "merge": "mean_logit",
}
# Chosen on held-out texts of every kind with the temperature of `export` in place: the power by the
# calibration error of reviews; the temperature by the tweets and by the kinds never trained on.
PREPROCESSING: Final[dict[str, Any]] = {
    **READING,
    "temperature": 1.12,
    "sharpen_from": 64,
    "sharpen_power": 0.3,
}
UNKNOWN_NAME: Final = "unknown_name"
"""The key of the word that is read in place of a name that is not known."""


def save_tokenizer(source: Path, target: Path) -> None:
    """Copies a ``tokenizer.json`` without the padding and truncation some carry."""
    tokenizer = Tokenizer.from_file(str(source))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(target), pretty=False)


def write_manifest(folder: Path, fields: Mapping[str, Any], tables: Mapping[str, Any]) -> None:
    """Writes ``manifest.toml`` with the digest of each file beside it.

    ``fields`` are the manifest's plain keys, ``tables`` its ``[preprocessing]``, ``[quality]``
    and ``[speed]``.
    """
    lines = [f"{key} = {_toml(value)}" for key, value in fields.items()]
    for path in sorted(folder.iterdir()):
        if path.name == "manifest.toml" or not path.is_file():
            continue
        data = path.read_bytes()
        lines += ["", "[[files]]", f"path = {_toml(path.name)}", f"bytes = {len(data)}"]
        lines.append(f'sha256 = "{hashlib.sha256(data).hexdigest()}"')
    for name, table in tables.items():
        lines += ["", f"[{name}]"]
        lines += [f"{_key(key)} = {_toml(value)}" for key, value in table.items()]
    (folder / "manifest.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def renew_manifest(
    folder: Path, preprocessing: Mapping[str, Any] | None = None, **changes: Any
) -> dict[str, Any]:
    """Writes ``manifest.toml`` with the digests of the files as they are now, with
    ``preprocessing`` added to that table, and with ``changes`` of its plain fields, which are
    returned."""
    found = tomllib.loads((folder / "manifest.toml").read_text(encoding="utf-8"))
    tables = {key: value for key, value in found.items() if isinstance(value, dict)}
    fields = {key: value for key, value in found.items() if key not in tables and key != "files"}
    fields |= changes
    tables["preprocessing"] = {**tables.get("preprocessing", {}), **(preprocessing or {})}
    write_manifest(folder, fields, tables)
    return fields


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)


def _toml(value: Any) -> str:
    """A value as TOML; strings as JSON strings, which TOML's basic strings contain."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items())
        return "{ " + inner + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def shipped_bundle() -> Path:
    """The folder of the sentiment bundle that comes with ``discern``."""
    import discern

    return Path(str(discern.__file__)).parent / "catalog" / "bundles" / SHIPPED
