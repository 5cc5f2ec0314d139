"""Tensors of the Open Inference Protocol, in JSON and in binary, there and back."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from discern.errors import EmptyInput, InvalidInput, TooLarge
from discern.model_server.open_inference.adapters import SentimentAdapter
from discern.model_server.open_inference.tensors import (
    DATATYPES,
    Tensor,
    check_shape,
    from_binary,
    from_json,
    to_binary,
    to_json,
)
from discern.text.contract import MAX_TEXTS

NUMERIC = [name for name in DATATYPES if name != "BYTES"]


@given(
    values=st.sampled_from(NUMERIC).flatmap(
        lambda name: st.tuples(
            st.just(name),
            hnp.arrays(
                DATATYPES[name],
                hnp.array_shapes(max_dims=3, max_side=4, min_side=0),
                elements={"allow_nan": False, "allow_infinity": False}
                if DATATYPES[name].kind == "f"
                else None,
            ),
        )
    )
)
@settings(deadline=None)
def test_any_numeric_tensor_survives_the_wire_both_ways(
    values: tuple[str, np.ndarray[Any, Any]],
) -> None:
    name, array = values
    tensor = Tensor("x", name, array)
    back = from_binary(name, array.shape, to_binary(tensor), "x")
    np.testing.assert_array_equal(back, array)
    if name == "FP16":
        with pytest.raises(InvalidInput):
            to_json(tensor)
        return
    written = json.loads(json.dumps(to_json(tensor)))
    np.testing.assert_array_equal(from_json(name, array.shape, written, "x"), array)
    nested = json.loads(json.dumps(array.tolist()))
    np.testing.assert_array_equal(from_json(name, array.shape, nested, "x"), array)


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_bytes_survive_the_binary_wire(elements: list[bytes]) -> None:
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    data = to_binary(Tensor("x", "BYTES", array))
    assert from_binary("BYTES", (len(elements),), data, "x").tolist() == elements


@given(data=st.binary(max_size=40), count=st.integers(0, 5))
def test_no_binary_data_crashes_the_reader(data: bytes, count: int) -> None:
    for name in DATATYPES:
        with suppress(InvalidInput):
            assert from_binary(name, (count,), data, "x").shape == (count,)


@pytest.mark.parametrize(
    ("name", "value"),
    [("INT8", 200), ("UINT8", -1), ("INT64", 1.5), ("INT64", True), ("BOOL", 1), ("FP32", "1"),
     ("UINT64", 2**64), ("FP32", True), ("BYTES", 1)],
)  # fmt: skip
def test_values_of_another_type_or_out_of_range_are_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidInput):
        from_json(name, (1,), [value], "x")


def test_shapes_are_lists_of_whole_numbers() -> None:
    assert check_shape([2, 0, 3], "x") == (2, 0, 3)
    for wrong in (None, 3, [1.0], ["1"], [None], [-1], [1] * 9):
        with pytest.raises(InvalidInput):
            check_shape(wrong, "x")


def test_values_beyond_a_shape_are_not_gone_through() -> None:
    """Looking at each of millions holds all others up for seconds."""
    with pytest.raises(InvalidInput, match="more than 2 values"):
        from_binary("BYTES", (2,), bytes(100), "x")
    with pytest.raises(InvalidInput, match="more than 1 values"):
        from_json("BYTES", (1, 1), [""] * 100, "x")
    with pytest.raises(InvalidInput, match="an empty list"):
        from_json("BYTES", (1, 1), [[]] * 100, "x")
    [text] = SentimentAdapter().inputs(None)  # type: ignore[arg-type]
    text.check_size((MAX_TEXTS,))
    with pytest.raises(TooLarge):
        text.check_size((MAX_TEXTS + 1,))
    with pytest.raises(EmptyInput):
        text.check_size((5, 0))
