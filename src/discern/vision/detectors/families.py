"""The detector families, and how to tell which one a model file belongs to.

A picture is prepared as by whoever trained the weights: what a publisher's demonstration does with
them may differ. That of opencv_zoo gives its YOLOX-S the colors as RGB, but Megvii trained it on
BGR, and said so (github.com/Megvii-BaseDetection/YOLOX, issue 1492); Megvii's YOLOX-nano falls from
.281 to .240 mAP with RGB, on the photographs of docs/vision.md. The fit, the value 114 around the
picture and the missing normalization are the same in both. That of opencv_zoo gives its NanoDet RGB
as well, normalized by the means of BGR; RangiLyu's own code reads BGR. Its file is called
NanoDet-Plus-m-1.5x there, but has the 0.95 million weights and the three levels of NanoDet-m-416
(nanodet, config/legacy_v0.x_configs/nanodet-m-416.yml), which keeps proportions with black around.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from discern.errors import BundleInvalid
from discern.vision.detectors.decode import (
    SIDE_CHANNELS,
    Array,
    Candidates,
    decode_fastestdet,
    decode_nanodet,
    decode_nanodet_m,
    decode_picodet,
    decode_yolox,
    places,
)
from discern.vision.detectors.prepare import Preparation

Decoder: TypeAlias = Callable[[Sequence[Array], tuple[int, int], float], Candidates]
Shape: TypeAlias = Sequence[int | str | None]


@dataclass(frozen=True, slots=True)
class Family:
    """One way to prepare a picture and to read the answer. ``max_overlap`` and ``every_class``
    are those of the family's own evaluation; see :func:`~discern.vision.detectors.suppress`."""

    name: str
    preparation: Preparation
    decode: Decoder
    max_overlap: float
    every_class: bool


YOLOX: Final = Family("yolox", Preparation("letterbox", "bgr"), decode_yolox, 0.65, False)
PICODET: Final = Family(
    "picodet",
    Preparation("stretch", "rgb", "antialias", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    decode_picodet,
    0.6,
    True,
)
NANODET: Final = Family(
    "nanodet",
    Preparation("stretch", "bgr", "linear", (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)),
    decode_nanodet,
    0.6,
    True,
)
NANODET_M: Final = Family(
    "nanodet-m",
    Preparation(
        "centered", "bgr", "linear", NANODET.preparation.mean, NANODET.preparation.std, pad=0
    ),
    decode_nanodet_m,
    0.6,
    True,
)
FASTESTDET: Final = Family(
    "fastestdet",
    Preparation("stretch", "bgr", "smooth", (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
    decode_fastestdet,
    0.45,
    False,
)
FAMILIES: Final[Mapping[str, Family]] = {
    family.name: family for family in (YOLOX, PICODET, NANODET, NANODET_M, FASTESTDET)
}

_CHOICES: Final = {
    "fit": ("stretch", "letterbox", "centered"),
    "color": ("rgb", "bgr"),
    "resample": ("linear", "smooth", "antialias"),
}


def family_named(name: str, options: Mapping[str, Any] | None = None) -> Family:
    """A family, with the parts of its preparation that a manifest's table states otherwise.

    Raises:
        BundleInvalid: no such family, or an option that cannot be.
    """
    if name not in FAMILIES:
        raise BundleInvalid(
            f"'{name}' is not a detector family; known: {', '.join(FAMILIES)}.", field="family"
        )
    changes: dict[str, Any] = {
        key: tuple(map(float, value)) if isinstance(value, list) else value
        for key, value in (options or {}).items()
        if key in ("fit", "color", "resample", "mean", "std", "pad")
    }
    preparation = replace(FAMILIES[name].preparation, **changes)
    for key, allowed in _CHOICES.items():
        if getattr(preparation, key) not in allowed:
            raise BundleInvalid(
                f"'{key}' must be {' or '.join(allowed)}.", field=f"preprocessing.{key}"
            )
    if len(preparation.mean) != 3 or len(preparation.std) != 3 or 0.0 in preparation.std:
        raise BundleInvalid("'mean' and 'std' must be three numbers.", field="preprocessing")
    return replace(FAMILIES[name], preparation=preparation)


def recognize(outputs: Sequence[Shape], size: tuple[int, int]) -> Family:
    """The family whose outputs have these shapes, batch first, for an input (height, width).

    Raises:
        BundleInvalid: none has; the caller must name it.
    """
    sizes = [[dim if isinstance(dim, int) else -1 for dim in shape] for shape in outputs]
    if len(sizes) == 1 and len(sizes[0]) == 4:
        return FASTESTDET
    if len(sizes) == 1 and len(sizes[0]) == 3:
        if sizes[0][1] == places(size, (8, 16, 32)):
            return YOLOX
        if sizes[0][1] == places(size, (8, 16, 32, 64)):
            return NANODET
    if len(sizes) == 6 and all(len(shape) == 3 for shape in sizes):
        return NANODET_M
    if len(sizes) == 8 and all(len(shape) == 3 for shape in sizes):
        alternating = (sizes[0][2] == SIDE_CHANNELS) != (sizes[1][2] == SIDE_CHANNELS)
        return NANODET if alternating else PICODET
    raise BundleInvalid(
        f"The model's outputs fit no known detector; name its family ({', '.join(FAMILIES)}).",
        field="family",
    )
