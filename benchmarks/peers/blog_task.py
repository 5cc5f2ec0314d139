"""The usual tutorial's picture task, written anew: the object detection pipeline's default network
(DETR with a ResNet-50, 41 million weights) is loaded inside the task, run and thrown away.

Random weights stand for the published ones: they cost exactly as much time and memory, and find
nothing. Opening the picture and making boxes of the outputs are left out, in the task's favor.
``python blog_task.py FOLDER PICTURES`` prints what PICTURES tasks took, one after the other.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

SHORT_SIDE, LONG_SIDE = 800, 1066  # what its image processor makes of a 640 x 480 photograph


def make(folder: Path) -> None:
    torch.manual_seed(0)
    backbone = ResNetConfig(out_features=["stage4"])
    config = DetrConfig(use_timm_backbone=False, backbone=None, backbone_config=backbone)
    DetrForObjectDetection(config).save_pretrained(folder)


def task(folder: Path, pixels: torch.Tensor) -> int:
    network = DetrForObjectDetection.from_pretrained(folder).eval()
    with torch.no_grad():
        return int(network(pixel_values=pixels).logits.shape[1])


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)  # as many tasks run at once as there are processors
    if not (folder / "config.json").exists():
        make(folder)
    pixels = torch.rand(1, 3, SHORT_SIDE, LONG_SIDE)
    task(folder, pixels)  # so that imports are not counted
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        task(folder, pixels)
    wall, used = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"per_s": count / wall, "cpu_ms": 1000 * used / count}))


if __name__ == "__main__":
    main()
