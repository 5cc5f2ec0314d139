"""Typed tensors of the protocol, as JSON and as binary data.

Types and layouts are those of the protocol's "Tensor Data Types" and of its binary tensor data
extension: little-endian, row-major; each element of BYTES is preceded by its length in 4 bytes.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

import numpy as np

from discern.errors import EmptyInput, InvalidInput, TooLarge
from discern.inference.contract import Array

DATATYPES: Final[dict[str, np.dtype[Any]]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype(object),
}
MAX_DIMENSIONS: Final = 8
T = TypeVar("T")
_LENGTH: Final = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor a model takes or gives; -1 in ``shape`` varies. Where ``most`` is given, it has at
    most so many elements, and one at least."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    most: int | None = None

    def check_size(self, shape: tuple[int, ...]) -> None:
        """Refuses a wrong size before its elements are looked at, one by one.

        Raises:
            EmptyInput, TooLarge: no elements, or too many.
        """
        if self.most is None:
            return
        count = math.prod(shape)
        if not count:
            raise EmptyInput(f"'{self.name}' holds no values.", field=self.name)
        if count > self.most:
            raise TooLarge(
                f"'{self.name}' holds {count:,} values; the limit is {self.most:,}.",
                field=self.name,
                limit=self.most,
            )

    def to_json(self) -> dict[str, Any]:
        """The protocol's ``$metadata_tensor``."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor with its values; those of BYTES are ``bytes`` objects."""

    name: str
    datatype: str
    values: Array


def check_shape(shape: object, field: str) -> tuple[int, ...]:
    """A shape as the protocol allows it: whole numbers, none negative.

    Raises:
        InvalidInput: it is something else.
    """
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise InvalidInput(
            f"'{field}' must be a list of at most {MAX_DIMENSIONS} whole numbers.", field=field
        )
    if any(not isinstance(size, int) or isinstance(size, bool) or size < 0 for size in shape):
        raise InvalidInput(f"'{field}' must hold whole numbers of 0 or more.", field=field)
    return tuple(shape)


def from_json(datatype: str, shape: tuple[int, ...], data: object, field: str) -> Array:
    """Values written as JSON, flat or nested, in row-major order.

    Raises:
        InvalidInput: a value of another type or out of range, or too few or too many.
    """
    if datatype == "FP16":
        raise InvalidInput(f"'{field}' is FP16, which only binary data can carry.", field=field)
    flat = _at_most_one_more(_flatten(data, shape, field), shape)
    _check_count(len(flat), shape, field)
    kind = DATATYPES[datatype].kind
    if kind == "O":
        return _objects([_element(value, field) for value in flat], shape)
    wanted: tuple[type, ...] = {"b": (bool,), "f": (int, float)}.get(kind, (int,))
    if any(type(value) not in wanted for value in flat):
        raise InvalidInput(f"'{field}' holds a value that is not {datatype}.", field=field)
    try:
        return np.array(flat, dtype=DATATYPES[datatype]).reshape(shape)
    except OverflowError:
        raise InvalidInput(
            f"'{field}' holds a value too large for {datatype}.", field=field
        ) from None


def from_binary(datatype: str, shape: tuple[int, ...], data: bytes, field: str) -> Array:
    """Values of the binary tensor data extension.

    Raises:
        InvalidInput: the size is not what the shape and type make of it.
    """
    if datatype == "BYTES":
        elements = _at_most_one_more(_elements(data, field), shape)
        _check_count(len(elements), shape, field)
        return _objects(elements, shape)
    dtype = DATATYPES[datatype]
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise InvalidInput(
            f"'{field}' has {len(data):,} bytes; its shape and type make "
            f"{math.prod(shape) * dtype.itemsize:,}.",
            field=field,
        )
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def to_json(tensor: Tensor) -> list[Any]:
    """The values, flat, as JSON can carry them: BYTES as text.

    Raises:
        InvalidInput: the type has no JSON form.
    """
    if tensor.datatype == "FP16":
        raise InvalidInput(f"'{tensor.name}' is FP16: ask for binary data.", field=tensor.name)
    values: list[Any] = tensor.values.ravel().tolist()
    if tensor.datatype == "BYTES":
        return [value.decode("utf-8", "replace") for value in values]
    return values


def to_binary(tensor: Tensor) -> bytes:
    """The values as binary data."""
    if tensor.datatype == "BYTES":
        return b"".join(
            _LENGTH.pack(len(value)) + value for value in tensor.values.ravel().tolist()
        )
    return np.ascontiguousarray(tensor.values, dtype=DATATYPES[tensor.datatype]).tobytes()


def _at_most_one_more(values: Iterator[T], shape: tuple[int, ...]) -> list[T]:
    # What is wrong with a million values too many is known from the first of them.
    return list(islice(values, min(math.prod(shape) + 1, sys.maxsize)))


def _flatten(data: object, shape: tuple[int, ...], field: str) -> Iterator[object]:
    if not isinstance(data, list):
        raise InvalidInput(f"'{field}' must be a list.", field=field)
    may_be_empty = 0 in shape
    for value in data:
        if isinstance(value, list):
            if len(shape) <= 1:
                raise InvalidInput(f"'{field}' is nested deeper than its shape.", field=field)
            if not (value or may_be_empty):
                raise InvalidInput(f"'{field}' holds an empty list.", field=field)
            yield from _flatten(value, shape[1:], field)
        else:
            yield value


def _check_count(count: int, shape: tuple[int, ...], field: str) -> None:
    wanted = math.prod(shape)
    if count != wanted:
        held = f"{count:,}" if count < wanted else f"more than {wanted:,}"
        raise InvalidInput(
            f"'{field}' holds {held} values; its shape makes {wanted:,}.", field=field
        )


def _element(value: object, field: str) -> bytes:
    if not isinstance(value, str):
        raise InvalidInput(f"'{field}' holds a value that is not a string.", field=field)
    return value.encode("utf-8", "surrogatepass")


def _elements(data: bytes, field: str) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        start = position + _LENGTH.size
        if start > len(data):
            raise InvalidInput(f"'{field}' ends within the length of an element.", field=field)
        [length] = _LENGTH.unpack_from(data, position)
        position = start + length
        if position > len(data):
            raise InvalidInput(f"'{field}' ends within an element.", field=field)
        yield data[start:position]


def _objects(values: list[bytes], shape: tuple[int, ...]) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array.reshape(shape)
