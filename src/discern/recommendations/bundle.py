"""A model as a folder: ``manifest.toml`` and arrays without pickle, digests checked on load."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from discern.catalog.manifest import MANIFEST_NAME, Bundle, load_bundle, sha256_of, verify
from discern.errors import BundleInvalid
from discern.recommendations.contract import TASK
from discern.recommendations.model import Model
from discern.recommendations.settings import Settings

FORMAT: Final = "discern-recommendations-1"
MODEL_FILE: Final = "model.npz"


def save_model(
    model: Model,
    folder: Path,
    *,
    name: str,
    version: str,
    quality: Mapping[str, Any] | None = None,
    speed: Mapping[str, Any] | None = None,
    license: str = "proprietary",
    origin: str = "discern recommend fit",
    more_files: Mapping[str, Mapping[str, NDArray[Any]]] | None = None,
) -> Path:
    """Writes a bundle and returns its folder; it appears whole or not at all.

    ``more_files`` maps further ``.npz`` names to their arrays.

    Raises:
        BundleInvalid: the folder exists already.
    """
    if folder.exists():
        raise BundleInvalid(f"{folder} exists already.", field="version")
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".incoming-", dir=folder.parent))
    try:
        for file, arrays in {MODEL_FILE: _arrays(model), **(more_files or {})}.items():
            with (staging / file).open("wb") as stream:
                np.savez(stream, allow_pickle=False, **arrays)
                stream.flush()
                os.fsync(stream.fileno())
        text = _manifest(
            model,
            staging,
            name=name,
            version=version,
            license=license,
            origin=origin,
            quality=quality or {},
            speed=speed or {},
        )
        (staging / MANIFEST_NAME).write_text(text, encoding="utf-8")
        staging.chmod(0o755)
        staging.rename(folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return folder


def load_model(folder: Path) -> tuple[Model, Bundle]:
    """Reads a bundle after checking its digests.

    Raises:
        BundleInvalid: the folder breaks the contract, or its arrays do not fit one another.
        DigestMismatch: a file was changed.
    """
    bundle = load_bundle(folder)
    if bundle.manifest.task != TASK or bundle.manifest.format != FORMAT:
        raise BundleInvalid(f"{folder.name} is no '{FORMAT}' bundle for '{TASK}'.", field="format")
    verify(bundle)
    arrays = load_arrays(bundle.path(MODEL_FILE))
    return _model(arrays, _settings(bundle), folder.name), bundle


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of an ``.npz`` file; objects are refused.

    Raises:
        BundleInvalid: not such a file.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise BundleInvalid(f"'{path.name}' holds no readable arrays: {error}.") from error


def pack_words(words: tuple[str, ...] | list[str]) -> NDArray[np.uint8]:
    """Strings as one array of bytes."""
    return np.frombuffer(json.dumps(list(words), ensure_ascii=False).encode(), dtype=np.uint8)


def unpack_words(packed: NDArray[np.uint8]) -> tuple[str, ...]:
    """What :func:`pack_words` packed.

    Raises:
        BundleInvalid: not a list of strings.
    """
    try:
        words = json.loads(packed.tobytes())
    except ValueError as error:
        raise BundleInvalid(f"A list of words is damaged: {error}.") from error
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise BundleInvalid("A list of words holds something else.")
    return tuple(words)


def _arrays(model: Model) -> dict[str, NDArray[Any]]:
    small = model.size <= np.iinfo(np.uint16).max
    return {
        "contents": pack_words(model.contents),
        "indptr": model.indptr,
        "indices": model.indices.astype(np.uint16 if small else np.uint32),
        "long": model.long,
        "short": model.short,
        "popularity": model.popularity,
        "prior": model.prior,
    }


def _model(arrays: Mapping[str, NDArray[Any]], settings: Settings, where: str) -> Model:
    try:
        model = Model(
            contents=unpack_words(arrays["contents"]),
            indptr=arrays["indptr"].astype(np.int64),
            indices=arrays["indices"].astype(np.int32),
            long=arrays["long"].astype(np.float16),
            short=arrays["short"].astype(np.float16),
            popularity=arrays["popularity"].astype(np.float32),
            prior=arrays["prior"].astype(np.float32),
            settings=settings,
        )
        _check_pattern(model.indptr, model.indices, model.size)
    except KeyError as error:
        raise BundleInvalid(f"{where} lacks the array {error}.", field="files") from error
    except ValueError as error:
        raise BundleInvalid(f"{where}: {error}.", field="files") from error
    if not len(model.long) == len(model.short) == len(model.indices):
        raise BundleInvalid(f"{where}: its arrays have different lengths.", field="files")
    if not len(model.popularity) == len(model.prior) == model.size:
        raise BundleInvalid(f"{where}: its arrays have different lengths.", field="files")
    parts = (model.long, model.short, model.popularity, model.prior)
    if not all(np.isfinite(part).all() for part in parts):
        raise BundleInvalid(f"{where} holds numbers that are not finite.", field="files")
    return model


def _check_pattern(indptr: NDArray[Any], indices: NDArray[Any], size: int) -> None:
    if len(indptr) != size + 1 or indptr[0] != 0 or indptr[-1] != len(indices):
        raise ValueError("its row bounds do not fit")
    if (np.diff(indptr) < 0).any() or (len(indices) and indices.max() >= size):
        raise ValueError("its rows point outside")


def _settings(bundle: Bundle) -> Settings:
    table = bundle.manifest.preprocessing
    known = {field.name: field for field in fields(Settings)}
    given = {key: value for key, value in table.items() if key in known}
    if set(given) != set(known):
        missing = ", ".join(sorted(set(known) - set(given)))
        raise BundleInvalid(f"The manifest lacks the settings {missing}.", field="preprocessing")
    return Settings(**given)


def _manifest(
    model: Model,
    folder: Path,
    *,
    name: str,
    version: str,
    license: str,
    origin: str,
    quality: Mapping[str, Any],
    speed: Mapping[str, Any],
) -> str:
    head = {
        "name": name,
        "version": version,
        "task": TASK,
        "format": FORMAT,
        "license": license,
        "origin": origin,
        "description": f"Item-item weights over {model.size:,} contents.",
    }
    parts = ["".join(f"{key} = {toml_value(value)}\n" for key, value in head.items())]
    parts += [
        f"[[files]]\npath = {toml_value(path.name)}\nbytes = {path.stat().st_size}\n"
        f'sha256 = "{sha256_of(path)}"\n'
        for path in sorted(folder.iterdir())
    ]
    tables = {"preprocessing": asdict(model.settings), "quality": quality, "speed": speed}
    parts += [
        f"[{title}]\n"
        + "".join(f"{toml_value(key)} = {toml_value(value)}\n" for key, value in table.items())
        for title, table in tables.items()
    ]
    return "\n".join(parts)


def toml_value(value: object) -> str:
    """A string, truth value or number as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False)
