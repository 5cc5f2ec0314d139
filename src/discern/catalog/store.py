"""The models on this machine: those shipped with the package and those installed by the user.

A user's models lie under ``$DISCERN_HOME/models/<name>/<version>/``. Which version answers a task
is one small file per task, replaced atomically, with the earlier choices kept for roll back.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from discern.catalog.manifest import Bundle, load_bundle, verify
from discern.errors import BundleInvalid, InvalidInput, ModelNotFound

SHIPPED_FOLDER: Final = Path(__file__).parent / "bundles"
HISTORY_LENGTH: Final = 20


def default_home() -> Path:
    """``$DISCERN_HOME``, or the user's data folder."""
    configured = os.environ.get("DISCERN_HOME")
    if configured:
        return Path(configured)
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "discern"


@dataclass(frozen=True, slots=True)
class Activation:
    """A model version chosen to answer a task."""

    name: str
    version: str


class Store:
    """Finds, installs and activates bundles.

    Args:
        home: the user's folder; :func:`default_home` if None. It need not exist.
        shipped: the folder of bundles that came with the package.
    """

    def __init__(self, home: Path | None = None, *, shipped: Path = SHIPPED_FOLDER) -> None:
        self.home = home if home is not None else default_home()
        self._shipped = shipped

    def bundles(self) -> list[Bundle]:
        """Every readable bundle, by name and then version, newest last; broken ones are left
        out (:meth:`find` names what is wrong with them). A user's bundle hides a shipped one of
        the same name and version."""
        found: dict[tuple[str, str], Bundle] = {}
        for folder in self._folders():
            try:
                bundle = load_bundle(folder)
            except BundleInvalid:
                continue
            found[bundle.manifest.name, bundle.manifest.version] = bundle
        return [found[key] for key in sorted(found, key=lambda k: (k[0], version_key(k[1])))]

    def find(self, name: str, version: str | None = None) -> Bundle:
        """The bundle of that name, in that version or the newest.

        Raises:
            ModelNotFound: there is none; the message lists the names there are.
            BundleInvalid: it is there, but its folder breaks the contract.
        """
        matches = [
            bundle
            for bundle in self.bundles()
            if bundle.manifest.name == name and version in (None, bundle.manifest.version)
        ]
        if matches:
            return matches[-1]
        broken = self.home / "models" / name / (version or "")
        if version and broken.is_dir():
            return load_bundle(broken)
        wanted = name if version is None else f"{name} {version}"
        known = ", ".join(sorted({bundle.manifest.name for bundle in self.bundles()})) or "none"
        raise ModelNotFound(f"There is no model '{wanted}' here; known: {known}.", field="model")

    def active(self, task: str) -> Bundle:
        """The bundle that answers ``task``: the activated one, else the newest one shipped.

        Raises:
            ModelNotFound: no model for that task is installed.
        """
        history = self.history(task)
        if history:
            return self.find(history[-1].name, history[-1].version)
        candidates = [bundle for bundle in self.bundles() if bundle.manifest.task == task]
        shipped = [bundle for bundle in candidates if bundle.folder.is_relative_to(self._shipped)]
        for pool in (shipped, candidates):
            if pool:
                return pool[-1]
        raise ModelNotFound(f"No model for '{task}' is installed.", field="task")

    def activate(self, name: str, version: str | None = None) -> Bundle:
        """Makes a version the one that answers its task, after checking its digests; servers
        that run pick it up when told to reload. The change is one atomic rename.

        Raises:
            ModelNotFound: no such model.
            DigestMismatch: a file of it was changed; the earlier choice stays.
        """
        bundle = self.find(name, version)
        verify(bundle)
        choice = Activation(bundle.manifest.name, bundle.manifest.version)
        history = [item for item in self.history(bundle.manifest.task) if item != choice]
        self._write_history(bundle.manifest.task, [*history, choice])
        return bundle

    def rollback(self, task: str) -> Bundle:
        """Goes back to the choice before the present one (or to the shipped model) and returns it.

        Raises:
            InvalidInput: nothing was ever activated for the task.
        """
        history = self.history(task)
        if not history:
            raise InvalidInput(f"Nothing to roll back: '{task}' uses its shipped model.")
        self._write_history(task, history[:-1])
        return self.active(task)

    def history(self, task: str) -> list[Activation]:
        """The choices made for ``task``, the present one last."""
        path = self._history_path(task)
        if not path.is_file():
            return []
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))
            return [Activation(str(row["name"]), str(row["version"])) for row in rows]
        except (ValueError, KeyError, TypeError) as error:
            raise BundleInvalid(f"{path} is damaged; delete it to use shipped models.") from error

    def install(self, folder: Path) -> Bundle:
        """Copies a bundle into the user's folder, digests checked, all or nothing.

        Raises:
            BundleInvalid: the folder breaks the contract, or that version is installed already
                with other content.
        """
        source = load_bundle(folder)
        verify(source)
        target = self.home / "models" / source.manifest.name / source.manifest.version
        if target.exists():
            existing = load_bundle(target)
            if existing.manifest.files != source.manifest.files:
                raise BundleInvalid(
                    f"{source.manifest.name} {source.manifest.version} is installed already with "
                    "other files; give the new one another version.",
                    field="version",
                )
            return existing
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".incoming-", dir=target.parent))
        try:
            _copy_bundle(source, staging)
            staging.chmod(0o755)
            staging.rename(target)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        return load_bundle(target)

    def remove(self, name: str, version: str) -> None:
        """Deletes an installed version.

        Raises:
            ModelNotFound: it is not among the user's models.
            InvalidInput: it is active.
        """
        target = self.home / "models" / name / version
        if not target.is_dir():
            raise ModelNotFound(f"'{name} {version}' is not installed here.", field="model")
        task = load_bundle(target).manifest.task
        if self.history(task)[-1:] == [Activation(name, version)]:
            raise InvalidInput(f"'{name} {version}' is active; activate another one first.")
        shutil.rmtree(target)

    def _folders(self) -> Iterator[Path]:
        if self._shipped.is_dir():
            yield from sorted(path for path in self._shipped.iterdir() if path.is_dir())
        models = self.home / "models"
        if models.is_dir():
            for name in sorted(path for path in models.iterdir() if path.is_dir()):
                yield from sorted(
                    path
                    for path in name.iterdir()
                    if path.is_dir() and not path.name.startswith(".")
                )

    def _history_path(self, task: str) -> Path:
        if not re.fullmatch(r"[a-z0-9-]{1,64}", task):
            raise InvalidInput(f"'{task}' is not a task.", field="task")
        return self.home / "active" / f"{task}.json"

    def _write_history(self, task: str, history: list[Activation]) -> None:
        path = self._history_path(task)
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [{"name": item.name, "version": item.version} for item in history[-HISTORY_LENGTH:]]
        handle, staged = tempfile.mkstemp(prefix=".", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(rows, stream, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        Path(staged).replace(path)


def _copy_bundle(source: Bundle, target: Path) -> None:
    names = [file.path for file in source.manifest.files]
    extras = [name for name in ("manifest.toml", "CARD.md") if (source.folder / name).is_file()]
    for name in {*names, *extras}:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source.folder / name, target / name)


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """Orders versions: numbers by value, and a number after any text (1.10 after 1.9)."""
    parts = re.findall(r"\d+|[a-z]+", version)
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)
