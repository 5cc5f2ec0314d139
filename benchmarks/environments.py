"""A Python environment for each peer, made once from its pinned requirements."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PEERS: Final = ROOT / "benchmarks" / "peers"
# Installed by pip before the rest: its index options, unlike uv's, decide which build it is.
_BY_PIP_FIRST: Final = {
    "blog": ("torch==2.13.0",),
    "torch": ("torch==2.13.0",),
}
# Installed without what they ask for: of torchvision, onnx2torch uses two operators that no
# detector here has, and which build of it fits depends on the build of torch.
_ALONE: Final = {"torch": ("onnx2torch==1.5.15",)}


def folder_of(peer: str) -> Path:
    """Where the peer's environment is, or will be."""
    return ROOT / f".venv-bench-{peer}"


def python_of(peer: str) -> Path:
    """The Python of the peer's environment, which is made or renewed if need be.

    Raises:
        subprocess.CalledProcessError: something could not be installed.
    """
    folder, pins = folder_of(peer), PEERS / f"{peer}.txt"
    python, stamp = folder / "bin" / "python", folder / "pins.sha256"
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return python
    print(f"Making {folder.name}", flush=True)
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(folder)])
    for requirement in _BY_PIP_FIRST.get(peer, ()):
        _run([str(python), "-m", "pip", "install", "-q", requirement])
    _run([*_installer(python), "-r", str(pins)])
    for requirement in _ALONE.get(peer, ()):
        _run([*_installer(python), "--no-deps", requirement])
    stamp.write_text(digest)
    return python


def installed_mb(peer: str) -> float:
    """What the environment takes on disk, in megabytes (10**6)."""
    files = (
        path for path in folder_of(peer).rglob("*") if path.is_file() and not path.is_symlink()
    )
    return sum(path.stat().st_size for path in files) / 1e6


def version_of(peer: str, package: str) -> str:
    """The version pinned for ``package``, or an empty text."""
    for line in (PEERS / f"{peer}.txt").read_text().splitlines():
        name, _, rest = line.partition("==")
        if name.lower() == package:
            return rest.partition(" ")[0]
    return ""


def _installer(python: Path) -> list[str]:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "-q", "--python", str(python)]
    return [str(python), "-m", "pip", "install", "-q"]


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, cwd=ROOT)
