"""Opens a model file with ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from discern.errors import BundleInvalid, ConfigurationInvalid, InferenceFailed, MissingExtra
from discern.inference.contract import Array, TensorInfo

Provider = Literal["cpu", "cuda"]
_PROVIDERS: Final = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_NUMPY_TYPES: Final = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}


def open_session(
    path: str | os.PathLike[str], *, threads: int = 1, provider: Provider = "cpu"
) -> OnnxSession:
    """Loads a model file.

    With one thread the calling thread computes, so one session serves as many callers at once as
    there are processors, with one copy of the weights.

    Args:
        threads: threads computing one call; 1 to 256.
        provider: ``cpu``, or ``cuda`` with the extra ``gpu``.

    Raises:
        BundleInvalid: the file is missing or not a model this runtime can load.
        ConfigurationInvalid: an impossible number of threads or an unknown provider.
        MissingExtra: the runtime installed here cannot use that provider.
    """
    if not 1 <= threads <= 256:
        raise ConfigurationInvalid("'threads' must be 1 to 256.", field="threads", limit=256)
    if provider not in _PROVIDERS:
        raise ConfigurationInvalid("'provider' must be 'cpu' or 'cuda'.", field="provider")
    import onnxruntime  # here, so that a program that runs no model does not load the runtime

    wanted = _PROVIDERS[provider]
    if wanted not in onnxruntime.get_available_providers():
        raise MissingExtra(f"{wanted} is not installed here: pip install 'discern[gpu]'.")
    if not Path(path).is_file():
        raise BundleInvalid(f"The model file {Path(path).name} is missing.", field="files")
    try:
        opened = onnxruntime.InferenceSession(
            os.fspath(path), _options(onnxruntime, threads), providers=[wanted]
        )
    except Exception as error:  # the binding has a class of its own for each status
        raise BundleInvalid(f"{Path(path).name} cannot be loaded: {error}") from error
    if wanted not in opened.get_providers():
        raise MissingExtra(f"{wanted} could not be started: is its driver installed?")
    return OnnxSession(opened)


class OnnxSession:
    """An ``onnxruntime.InferenceSession`` behind :class:`~discern.inference.contract.Session`."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.inputs = tuple(map(_info, session.get_inputs()))
        self.outputs = tuple(map(_info, session.get_outputs()))

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """Runs once; see :class:`~discern.inference.contract.Session`."""
        return self._run(feeds, None)

    def run_and_shrink(self, feeds: Mapping[str, Array]) -> list[Array]:
        """Runs once and gives the memory that runs have needed back to the system, which takes the
        next run longer: for inputs that are far larger than most. On processors only."""
        import onnxruntime

        options = onnxruntime.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        return self._run(feeds, options)

    def _run(self, feeds: Mapping[str, Array], options: Any) -> list[Array]:
        try:
            results: list[Array] = self._session.run(None, feeds, options)
        except Exception as error:  # as above
            raise InferenceFailed("The model failed on this input.") from error
        return results


def _options(onnxruntime: Any, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Lengths vary: a memory plan kept for each shape would grow without end.
    options.enable_mem_pattern = False
    # Waiting threads that spin take the processor from the other sessions.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # every failure is raised; the runtime need not print it too
    return options


def _info(value: Any) -> TensorInfo:
    inner = value.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
    return TensorInfo(value.name, _NUMPY_TYPES.get(value.type, inner), shape)
