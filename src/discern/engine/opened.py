"""Pictures opened a moment ago: whoever asks for the objects in one asks for its text next."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Final

from discern.vision.contract import ImageLimits, OpenedImage
from discern.vision.formats import inspect
from discern.vision.images import open_image

MAX_KEPT: Final = 8
"""Pictures kept, each of 12 MB at most; one is forgotten when it is asked for again."""

_Key = tuple[bytes, int]


class OpenedLately:
    """Opens pictures, and keeps the last ones for one more question each."""

    def __init__(self, most: int = MAX_KEPT) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, OpenedImage] = OrderedDict()

    def open(self, data: bytes, *, max_side: int) -> OpenedImage:
        """As :func:`discern.vision.images.open_image`, with the same errors."""
        info = inspect(data, ImageLimits())
        # A picture that fits is opened the same whatever the limit; a larger one is shrunk while
        # it is decoded, and one so made is no use to who wants more of it.
        key = hashlib.sha256(data).digest(), min(max_side, max(info.width, info.height))
        with self._lock:
            known = self._kept.pop(key, None)
        if known is not None:
            return known
        opened = open_image(data, max_side=max_side)
        with self._lock:
            self._kept[key] = opened
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return opened


opened_lately: Final = OpenedLately()
"""This process's, shared by its detectors and its text reader."""
