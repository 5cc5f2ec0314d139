"""A picture is opened once for its objects and its text, and never kept for long."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from discern.engine.opened import OpenedLately
from discern.errors import CorruptMedia
from discern.vision.images import open_image


def jpeg(shade: int, size: tuple[int, int] = (64, 48)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (shade, shade, shade)).save(file, "JPEG")
    return file.getvalue()


def test_the_second_question_gets_the_pixels_of_the_first_and_the_third_new_ones() -> None:
    lately = OpenedLately()
    first = lately.open(jpeg(90), max_side=100)
    assert lately.open(jpeg(90), max_side=2_000) is first
    assert lately.open(jpeg(90), max_side=2_000) is not first


def test_a_picture_that_one_of_them_wants_smaller_is_opened_for_each_as_without_keeping() -> None:
    lately = OpenedLately()
    data = jpeg(90, (400, 300))
    for side in (100, 2_000):
        pixels = lately.open(data, max_side=side).pixels
        assert np.array_equal(pixels, open_image(data, max_side=side).pixels)


def test_only_the_last_pictures_are_kept() -> None:
    lately = OpenedLately(most=2)
    opened = [lately.open(jpeg(shade), max_side=100) for shade in (10, 20, 30)]
    assert lately.open(jpeg(30), max_side=100) is opened[2]
    assert lately.open(jpeg(20), max_side=100) is opened[1]
    assert lately.open(jpeg(10), max_side=100) is not opened[0]


def test_a_broken_picture_is_refused_each_time_it_is_asked_for() -> None:
    lately = OpenedLately()
    for _ in range(2):
        with pytest.raises(CorruptMedia):
            lately.open(jpeg(90)[:-20], max_side=100)
