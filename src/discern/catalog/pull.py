"""Brings models of the catalog onto this machine: named, resumable, digest checked.

An entry (``entries/<name>.toml``) is a bundle's manifest whose files also say where they are
published, at an address that cannot change. A mirror (``DISCERN_MODEL_MIRROR``, a folder or an
HTTP address) stands in for all of them; it holds ``<name>/<version>/<path>``, or just ``<path>``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from discern.catalog.download import download
from discern.catalog.manifest import (
    Bundle,
    BundleFile,
    Manifest,
    load_bundle,
    parse_manifest,
    sha256_of,
)
from discern.catalog.store import Store
from discern.errors import DigestMismatch, DownloadFailed, ModelNotFound, ModelNotReady

ENTRIES_FOLDER: Final = Path(__file__).parent / "entries"
DEFAULT_DETECTOR: Final = "yolox-s"
MIRROR_VARIABLE: Final = "DISCERN_MODEL_MIRROR"
HINT: Final = f"Without a network, set {MIRROR_VARIABLE} to a folder that holds the file."

Progress = Callable[[int, int], None]
"""Called with the bytes there and the bytes in all, from the thread that pulls."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A model that can be pulled. ``addresses`` maps each file's path to its public address."""

    manifest: Manifest
    addresses: Mapping[str, str]
    text: str

    @property
    def name(self) -> str:
        return self.manifest.name


def entries(folder: Path = ENTRIES_FOLDER) -> list[Entry]:
    """Every entry of the catalog, by name."""
    return [_read_entry(path) for path in sorted(folder.glob("*.toml"))]


def entry(name: str, folder: Path = ENTRIES_FOLDER) -> Entry:
    """The entry of that name.

    Raises:
        ModelNotFound: there is none; the message lists those there are.
    """
    known = entries(folder)
    for item in known:
        if item.name == name:
            return item
    names = ", ".join(item.name for item in known) or "none"
    raise ModelNotFound(f"No model '{name}' can be pulled; known: {names}.", field="model")


def not_pulled(name: str) -> ModelNotReady:
    """What to say when a model of the catalog is asked for and not on this machine."""
    return ModelNotReady(
        f"The model '{name}' is not on this machine. Get it with 'discern models pull {name}'; "
        f"without a network, set {MIRROR_VARIABLE} to a folder that holds its file.",
        field="model",
    )


def is_pulled(item: Entry, store: Store) -> bool:
    """Whether the model of ``item`` is installed in the version the entry names."""
    try:
        store.find(item.manifest.name, item.manifest.version)
    except ModelNotFound:
        return False
    return True


def pull(
    name: str,
    *,
    store: Store | None = None,
    progress: Progress = lambda _done, _total: None,
    mirror: str | None = None,
    folder: Path = ENTRIES_FOLDER,
) -> Bundle:
    """Installs a model of the catalog and returns its bundle; at once if it is there already.

    A download that breaks off is taken up where it stopped, also by a later call. Nothing is
    installed before every file has its promised size and SHA-256.

    Args:
        mirror: a folder or HTTP address; ``DISCERN_MODEL_MIRROR`` if None.

    Raises:
        ModelNotFound: no such entry.
        DownloadFailed: no network, no such file, or the server gave up too often; what was
            received is kept for the next try.
        DigestMismatch: what was received is not what the catalog promises; it is deleted.
    """
    item = entry(name, folder)
    store = store or Store()
    with contextlib.suppress(ModelNotFound):
        return store.find(item.manifest.name, item.manifest.version)
    mirror = mirror if mirror is not None else os.environ.get(MIRROR_VARIABLE) or None
    incoming = store.home / "incoming" / f"{item.name}-{item.manifest.version}"
    incoming.mkdir(parents=True, exist_ok=True)
    with _alone(incoming.with_suffix(".lock")):
        return _pull(item, incoming, store, mirror, progress)


def _pull(
    item: Entry, incoming: Path, store: Store, mirror: str | None, progress: Progress
) -> Bundle:
    with contextlib.suppress(ModelNotFound):  # another process may have been first
        return store.find(item.manifest.name, item.manifest.version)
    done, total = 0, item.manifest.total_bytes
    for file in item.manifest.files:
        part = incoming / file.path
        part.parent.mkdir(parents=True, exist_ok=True)

        def report(count: int, before: int = done) -> None:
            progress(before + count, total)

        _fetch(item, file, part, mirror, report)
        done += file.bytes
    (incoming / "manifest.toml").write_text(item.text, encoding="utf-8")
    bundle = store.install(incoming)
    shutil.rmtree(incoming, ignore_errors=True)
    return bundle


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Waits until no other process pulls the same model: two writers would spoil one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        with contextlib.suppress(ImportError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def add(
    file: Path,
    *,
    name: str,
    task: str,
    version: str = "1.0.0",
    license_name: str = "unknown",
    labels: tuple[str, ...] = (),
    preprocessing: Mapping[str, str] | None = None,
    store: Store | None = None,
) -> Bundle:
    """Makes a bundle of one model file of the user's own and installs it.

    Raises:
        BundleInvalid: the name or version breaks a rule, or is taken by another file.
    """
    store = store or Store()
    with tempfile.TemporaryDirectory(prefix="discern-add-") as scratch:
        staged = Path(scratch) / "bundle"
        staged.mkdir()
        shutil.copyfile(file, staged / "model.onnx")
        facts: dict[str, Any] = {
            "name": name,
            "version": version,
            "task": task,
            "format": "onnx",
            "license": license_name,
            "origin": f"added from {file.name}",
            "labels": list(labels),
        }
        lines = [f"{key} = {_toml(value)}" for key, value in facts.items()]
        lines += ["", "[[files]]", 'path = "model.onnx"', f"bytes = {file.stat().st_size}"]
        lines += [f"sha256 = {_toml(sha256_of(file))}", "", "[preprocessing]"]
        lines += [f"{key} = {_toml(value)}" for key, value in (preprocessing or {}).items()]
        (staged / "manifest.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return store.install(load_bundle(staged).folder)


def _toml(value: str | list[str]) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'


def _read_entry(path: Path) -> Entry:
    text = path.read_text(encoding="utf-8")
    data = tomllib.loads(text)
    addresses = {file["path"]: file["address"] for file in data["files"]}
    return Entry(parse_manifest(data, where=path.name), addresses, text)


def _fetch(
    item: Entry,
    file: BundleFile,
    part: Path,
    mirror: str | None,
    progress: Callable[[int], None],
) -> None:
    if part.is_file() and part.stat().st_size == file.bytes and sha256_of(part) == file.sha256:
        progress(file.bytes)
        return
    if mirror and not mirror.startswith(("http://", "https://")):
        _copy(_in_mirror(Path(mirror), item, file), part)
        progress(file.bytes)
    else:
        _download(_addresses(item, file, mirror), file, part, progress)
    found = sha256_of(part)
    if found != file.sha256:
        part.unlink()
        raise DigestMismatch(
            f"{item.name}: what was received as '{file.path}' has SHA-256 {found}, but the "
            f"catalog promises {file.sha256}. It was deleted.",
            field="files",
        )


def _addresses(item: Entry, file: BundleFile, mirror: str | None) -> list[str]:
    if not mirror:
        return [item.addresses[file.path]]
    base = mirror.rstrip("/")
    return [f"{base}/{item.name}/{item.manifest.version}/{file.path}", f"{base}/{file.path}"]


def _download(
    addresses: Sequence[str], file: BundleFile, part: Path, progress: Callable[[int], None]
) -> None:
    for number, address in enumerate(addresses, 1):
        try:
            download(address, part, file.bytes, progress=progress)
        except DownloadFailed as error:
            if number == len(addresses):
                raise DownloadFailed(f"{error.message} {HINT}") from error
        except DigestMismatch:
            part.unlink(missing_ok=True)
            raise
        else:
            return


def _in_mirror(mirror: Path, item: Entry, file: BundleFile) -> Path:
    for path in (mirror / item.name / item.manifest.version / file.path, mirror / file.path):
        if path.is_file():
            return path
    raise DownloadFailed(
        f"The mirror {mirror} holds neither {item.name}/{item.manifest.version}/{file.path} nor "
        f"{file.path}.",
        field=MIRROR_VARIABLE,
    )


def _copy(source: Path, part: Path) -> None:
    try:
        shutil.copyfile(source, part)
    except OSError as error:
        raise DownloadFailed(f"{source} cannot be copied: {error.strerror}.") from error
