"""What a test needs and may lack: skipped where somebody works, a failure in CI.

A skip in CI would let a change land on tests that have not been run.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, NoReturn

import pytest


def lacking(reason: str) -> NoReturn:
    """Ends the test: it fails where the variable CI is set, and is skipped elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason} (In CI nothing may be skipped for that.)", pytrace=False)
    pytest.skip(reason)


def needed_module(name: str) -> Any:
    """The module, imported; see :func:`lacking` where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        lacking(f"{name} cannot be imported: {error}.")
