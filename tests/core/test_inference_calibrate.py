from __future__ import annotations

import numpy as np
import pytest

from discern.errors import ConfigurationInvalid
from discern.inference.calibrate import Trial, calibrate, layouts
from tests.fakes.bundles import FOLDER

ROWS = [np.array([1, 3, 4, 2] * length, dtype=np.int64) for length in (1, 2, 5)]


@pytest.mark.parametrize(
    ("cpus", "expected"),
    [
        (1, {(1, 1)}),
        (2, {(2, 1), (1, 2)}),
        (4, {(4, 1), (2, 2), (1, 4), (3, 1)}),
    ],
)
def test_layouts_keep_all_processors_busy(cpus: int, expected: set[tuple[int, int]]) -> None:
    assert set(layouts(cpus)) == expected


@pytest.mark.slow
def test_it_measures_every_layout_and_advises_one_that_it_measured() -> None:
    told: list[Trial] = []
    result = calibrate(FOLDER / "words.onnx", ROWS, seconds=5, cpus=2, report=told.append)
    assert result.best in result.trials
    assert told == list(result.trials)
    assert {(trial.sessions, trial.threads) for trial in told} == {(2, 1), (1, 2)}
    fastest = max(trial.rows_per_second for trial in told[2:])
    assert result.best.rows_per_second >= 0.97 * fastest


def test_too_little_time_is_refused() -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        calibrate(FOLDER / "words.onnx", ROWS, seconds=1)
    assert caught.value.field == "seconds"
