"""What ranking reads of a model, whichever kind of model it is: rows of weights."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Row = tuple[NDArray[np.int32], NDArray[np.floating[Any]], NDArray[np.floating[Any]]]


class Rows(Protocol):
    """Where the weights come from: a model as fitted, or one that goes on learning."""

    def row(self, column: int) -> Row:
        """Targets, long and short weights of what an interaction with ``column`` says; the
        weights in half or single precision."""
        ...
