"""A web or worker process holds no model, so it must not even load what runs one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.web.live import LiveSite, free_port

_SET_UP = """
import importlib, pkgutil, sys
import django
django.setup()
import discern.web
for module in pkgutil.walk_packages(discern.web.__path__, "discern.web."):
    if ".migrations." not in module.name and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from discern.web.engine import get_engine
get_engine()
heavy = {"numpy", "onnxruntime", "tokenizers", "PIL", "scipy", "sklearn", "torch", "cv2"}
print(sorted(heavy & set(sys.modules)))
"""


def test_importing_every_room_of_the_web_door_loads_no_model_runtime(tmp_path: Path) -> None:
    environment = {
        **LiveSite(tmp_path).environment,
        "DJANGO_SETTINGS_MODULE": "discern.web.settings",
        "DISCERN_MODEL_SERVER_URL": f"http://127.0.0.1:{free_port()}",
    }
    done = subprocess.run(
        [sys.executable, "-c", _SET_UP],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"
