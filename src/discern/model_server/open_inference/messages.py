"""Inference requests read and responses written, with or without binary data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from discern.errors import InvalidInput
from discern.model_server.exchange import Reply, length_in, parse_json
from discern.model_server.open_inference.tensors import (
    DATATYPES,
    Tensor,
    TensorSpec,
    check_shape,
    from_binary,
    from_json,
    to_binary,
    to_json,
)

HEADER_LENGTH: Final = b"inference-header-content-length"
BINARY: Final = b"application/octet-stream"
MAX_TENSORS: Final = 64


@dataclass(frozen=True, slots=True)
class InferRequest:
    """The protocol's ``$inference_request``. ``outputs`` maps the name of each wanted output to
    whether it is wanted as binary data; ``timeout_s`` is the caller's patience, if it said so."""

    id: str | None
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, bool] = field(default_factory=dict)
    binary_by_default: bool = False
    timeout_s: float | None = None


def read_request(
    body: bytes, header_length: bytes | None, specs: Sequence[TensorSpec]
) -> InferRequest:
    """Reads a request for a model that takes ``specs``.

    Raises:
        InvalidInput, EmptyInput, TooLarge: naming the field at fault.
    """
    head, binary = _split(body, header_length)
    data = parse_json(head)
    if not isinstance(data, Mapping):
        raise InvalidInput("The request must be a JSON object.", field="body")
    parameters = _table(data, "parameters")
    name = data.get("id")
    if name is not None and not isinstance(name, str):
        raise InvalidInput("'id' must be a string.", field="id")
    return InferRequest(
        id=name,
        inputs=_read_inputs(data, binary, {spec.name: spec for spec in specs}),
        outputs=_read_outputs(data, bool(parameters.get("binary_data_output", False))),
        binary_by_default=bool(parameters.get("binary_data_output", False)),
        timeout_s=_timeout(parameters),
    )


def check_outputs(request: InferRequest, specs: Sequence[TensorSpec]) -> None:
    """Refuses before anything is run for it what could not be answered.

    Raises:
        InvalidInput: an output was asked for that the model does not give.
    """
    unknown = sorted(request.outputs.keys() - {spec.name for spec in specs})
    if unknown:
        raise InvalidInput(f"The model has no output '{unknown[0]}'.", field="outputs")


def write_response(
    request: InferRequest, name: str, version: str, outputs: Sequence[Tensor]
) -> Reply:
    """The protocol's ``$inference_response``, with the outputs that were asked for."""
    head: dict[str, Any] = {"model_name": name, "model_version": version}
    if request.id is not None:
        head["id"] = request.id
    head["outputs"], chunks = [], []
    for tensor in outputs:
        if request.outputs and tensor.name not in request.outputs:
            continue
        written: dict[str, Any] = {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": list(tensor.values.shape),
        }
        if request.outputs.get(tensor.name, request.binary_by_default):
            chunks.append(to_binary(tensor))
            written["parameters"] = {"binary_data_size": len(chunks[-1])}
        else:
            written["data"] = to_json(tensor)
        head["outputs"].append(written)
    text = orjson.dumps(head)
    if not chunks:
        return Reply(text)
    length = (HEADER_LENGTH, b"%d" % len(text))
    return Reply(b"".join([text, *chunks]), content_type=BINARY, headers=[length])


def _split(body: bytes, header_length: bytes | None) -> tuple[bytes, bytes]:
    if header_length is None:
        return body, b""
    length = length_in(header_length)
    if length is None or length > len(body):
        raise InvalidInput(
            "Inference-Header-Content-Length is not a length within the body.",
            field="Inference-Header-Content-Length",
        )
    return body[:length], body[length:]


def _read_inputs(
    data: Mapping[str, Any], binary: bytes, specs: Mapping[str, TensorSpec]
) -> dict[str, Tensor]:
    given = _list(data, "inputs")
    tensors: dict[str, Tensor] = {}
    position = 0
    for index, item in enumerate(given):
        where = f"inputs[{index}]"
        spec = _spec(item, specs, where)
        shape = check_shape(item.get("shape"), f"{where}.shape")
        spec.check_size(shape)
        size = _table(item, "parameters").get("binary_data_size")
        if size is None:
            values = from_json(spec.datatype, shape, item.get("data"), f"{where}.data")
        else:
            if not isinstance(size, int) or isinstance(size, bool) or size < 0:
                raise InvalidInput("'binary_data_size' must be a whole number.", field=where)
            chunk, position = binary[position : position + size], position + size
            if position > len(binary):
                raise InvalidInput("The binary data ends too early.", field=where)
            values = from_binary(spec.datatype, shape, chunk, where)
        if spec.name in tensors:
            raise InvalidInput(f"The input '{spec.name}' is given twice.", field=where)
        tensors[spec.name] = Tensor(spec.name, spec.datatype, values)
    if position != len(binary):
        raise InvalidInput("There is more binary data than inputs.", field="inputs")
    missing = sorted(specs.keys() - tensors.keys())
    if missing:
        raise InvalidInput(f"The input '{missing[0]}' is missing.", field="inputs")
    return tensors


def _spec(item: object, specs: Mapping[str, TensorSpec], where: str) -> TensorSpec:
    if not isinstance(item, Mapping):
        raise InvalidInput(f"'{where}' must be an object.", field=where)
    if "shared_memory_region" in _table(item, "parameters"):
        raise InvalidInput("Shared memory is not supported here.", field=where)
    name = item.get("name")
    spec = specs.get(name) if isinstance(name, str) else None
    if spec is None:
        raise InvalidInput(f"The model has no input '{name}'.", field=f"{where}.name")
    if item.get("datatype") != spec.datatype:
        raise InvalidInput(
            f"The input '{name}' must be {spec.datatype}; the types are {', '.join(DATATYPES)}.",
            field=f"{where}.datatype",
        )
    return spec


def _read_outputs(data: Mapping[str, Any], binary_by_default: bool) -> dict[str, bool]:
    wanted: dict[str, bool] = {}
    for index, item in enumerate(_list(data, "outputs") if data.get("outputs") else []):
        where = f"outputs[{index}]"
        if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
            raise InvalidInput(f"'{where}' must be an object with a 'name'.", field=where)
        parameters = _table(item, "parameters")
        if "classification" in parameters or "shared_memory_region" in parameters:
            raise InvalidInput(f"'{where}' asks for what is not supported here.", field=where)
        wanted[item["name"]] = bool(parameters.get("binary_data", binary_by_default))
    return wanted


def _timeout(parameters: Mapping[str, Any]) -> float | None:
    # Microseconds, as clients of other servers send it.
    given = parameters.get("timeout")
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise InvalidInput("'timeout' must be a whole number of microseconds.", field="timeout")
    return given / 1e6 if given else None


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_TENSORS:
        raise InvalidInput(f"'{key}' must be a list of 1 to {MAX_TENSORS} tensors.", field=key)
    return value


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key) or {}
    if not isinstance(value, Mapping):
        raise InvalidInput(f"'{key}' must be an object.", field=key)
    return value
