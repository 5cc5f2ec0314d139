"""A model bundle's manifest: what a folder of model files says of itself."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from discern.errors import BundleInvalid, DigestMismatch

MANIFEST_NAME: Final = "manifest.toml"
MAX_MANIFEST_BYTES: Final = 1_000_000
NAME_RULE: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_REQUIRED: Final = ("name", "version", "task", "format", "license", "origin")


@dataclass(frozen=True, slots=True)
class BundleFile:
    """One file of a bundle; ``path`` is relative to the folder, ``bytes`` its size."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``manifest.toml`` holds. ``preprocessing``, ``quality`` and ``speed`` are free-form
    tables that the rooms using the model interpret."""

    name: str
    version: str
    task: str
    format: str
    license: str
    origin: str
    files: tuple[BundleFile, ...]
    description: str = ""
    languages: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)
    speed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def total_bytes(self) -> int:
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A folder and its manifest."""

    folder: Path
    manifest: Manifest

    def path(self, name: str) -> Path:
        """The path of one of the manifest's files.

        Raises:
            BundleInvalid: the manifest lists no such file.
        """
        if all(file.path != name for file in self.manifest.files):
            raise BundleInvalid(f"{self.folder.name} has no file '{name}'.", field="files")
        return self.folder / name

    def card(self) -> str | None:
        """The model card as Markdown, if the bundle has one."""
        path = self.folder / "CARD.md"
        return path.read_text(encoding="utf-8") if path.is_file() else None


def load_bundle(folder: Path) -> Bundle:
    """Reads and checks a bundle's manifest and its files' sizes, but not their digests.

    Raises:
        BundleInvalid: the manifest is missing or breaks a rule, or a file is missing or has
            another size.
    """
    manifest = load_manifest(folder)
    for file in manifest.files:
        path = folder / file.path
        if not path.is_file():
            raise BundleInvalid(f"{folder.name}: the file '{file.path}' is missing.", field="files")
        if path.stat().st_size != file.bytes:
            raise BundleInvalid(
                f"{folder.name}: '{file.path}' has {path.stat().st_size:,} bytes; "
                f"the manifest says {file.bytes:,}.",
                field="files",
            )
    return Bundle(folder, manifest)


def load_manifest(folder: Path) -> Manifest:
    """Reads ``folder/manifest.toml``.

    Raises:
        BundleInvalid: missing, not TOML, a field missing or of the wrong kind, or a file path
            that leaves the folder.
    """
    path = folder / MANIFEST_NAME
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise BundleInvalid(f"{path} is larger than {MAX_MANIFEST_BYTES:,} bytes.")
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BundleInvalid(f"{folder} has no readable {MANIFEST_NAME}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BundleInvalid(f"{path} is not TOML: {error}") from error
    return parse_manifest(data, where=str(path))


def parse_manifest(data: Mapping[str, Any], *, where: str) -> Manifest:
    """Checks a manifest already read from TOML; ``where`` names it in errors."""
    texts = {key: _text(data, key, where) for key in _REQUIRED}
    if not NAME_RULE.fullmatch(texts["name"]):
        raise BundleInvalid(
            f"{where}: 'name' must be lower-case letters, digits, '.', '_' or '-'.", field="name"
        )
    if not NAME_RULE.fullmatch(texts["version"]):
        raise BundleInvalid(f"{where}: 'version' must be like 1.2.0.", field="version")
    return Manifest(
        **texts,
        files=_files(data.get("files", []), where),
        description=str(data.get("description", "")),
        languages=_strings(data, "languages", where),
        labels=_strings(data, "labels", where),
        inputs=_strings(data, "inputs", where),
        outputs=_strings(data, "outputs", where),
        preprocessing=_table(data, "preprocessing", where),
        quality=_table(data, "quality", where),
        speed=_table(data, "speed", where),
    )


def verify(bundle: Bundle) -> None:
    """Compares every file's SHA-256 with the manifest.

    Raises:
        DigestMismatch: a file differs; the message names it and both digests.
    """
    for file in bundle.manifest.files:
        found = sha256_of(bundle.folder / file.path)
        if found != file.sha256:
            raise DigestMismatch(
                f"{bundle.manifest.name}: '{file.path}' has SHA-256 {found}, "
                f"but {file.sha256} was promised.",
                field="files",
            )


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _text(data: Mapping[str, Any], key: str, where: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise BundleInvalid(f"{where}: '{key}' must be a text that is not empty.", field=key)
    return value


def _strings(data: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BundleInvalid(f"{where}: '{key}' must be a list of texts.", field=key)
    return tuple(value)


def _table(data: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = data.get(key, {})
    if not isinstance(value, dict):
        raise BundleInvalid(f"{where}: '{key}' must be a table.", field=key)
    return value


def _files(value: object, where: str) -> tuple[BundleFile, ...]:
    if not isinstance(value, list) or not value:
        raise BundleInvalid(f"{where}: [[files]] must list at least one file.", field="files")
    files = tuple(_file(item, where) for item in value)
    if len({file.path for file in files}) != len(files):
        raise BundleInvalid(f"{where}: [[files]] lists a path twice.", field="files")
    return files


def _file(item: object, where: str) -> BundleFile:
    if not isinstance(item, dict):
        raise BundleInvalid(f"{where}: each of [[files]] must be a table.", field="files")
    path, size, digest = item.get("path"), item.get("bytes"), item.get("sha256")
    if (
        not isinstance(path, str)
        or not path
        or Path(path).is_absolute()
        or ".." in Path(path).parts
    ):
        raise BundleInvalid(f"{where}: a file's 'path' must stay in the folder.", field="files")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise BundleInvalid(f"{where}: '{path}' needs its size in 'bytes'.", field="files")
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise BundleInvalid(f"{where}: '{path}' needs its 'sha256'.", field="files")
    return BundleFile(path, size, digest)


def _stays_inside(path: str) -> bool:
    parts = Path(path)
    return bool(path) and not parts.is_absolute() and ".." not in parts.parts
