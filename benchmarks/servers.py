"""Every server that is measured: how to start it, and what to ask it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import PEERS, ROOT, python_of, version_of

MODEL_VARIABLE: Final = "DISCERN_BENCH_MODEL"
TOKEN: Final = "benchmark-token-of-no-worth-0123456789abcdef"
ASKED: Final = "The room was warm and the staff were lovely."


def model_folder() -> Path:
    """The bundle that every server serves: the shipped one, or ``DISCERN_BENCH_MODEL``."""
    named = os.environ.get(MODEL_VARIABLE)
    return Path(named) if named else ROOT / "src/discern/catalog/bundles/sentiment-en"


def text_body(text: str) -> str:
    """``{"text": ...}``, what most of them take."""
    return json.dumps({"text": text})


def texts_body(text: str) -> str:
    """``{"texts": [...]}``, for a server that batches lists."""
    return json.dumps({"texts": [text]})


def infer_body(text: str) -> str:
    """An Open Inference Protocol request with one BYTES element."""
    tensor = {
        "name": "text",
        "shape": [1, 1],
        "datatype": "BYTES",
        "data": [text],
        "parameters": {"content_type": "str"},
    }
    return json.dumps({"inputs": [tensor]})


@dataclass(frozen=True, slots=True)
class Server:
    """One way to serve the model.

    ``command`` makes the command line from a port; ``ports`` is how many consecutive ports it
    takes. ``isolated`` puts it in a network namespace of its own. ``prepare`` is given an empty
    folder and returns further environment variables and headers. ``same_model`` is false for the
    blog's application, whose answers mean nothing. ``only`` limits a very slow server to these
    numbers of clients for each kind of text.
    """

    name: str
    title: str
    command: Callable[[int], list[str]]
    path: str
    body: Callable[[str], str] = text_body
    environment: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    ports: int = 1
    isolated: bool = False
    same_model: bool = True
    only: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    folder: Path = PEERS
    prepare: Callable[[Path], tuple[dict[str, str], dict[str, str]]] = lambda _: ({}, {})


def own_servers() -> list[Server]:
    """Discern as it is shipped, limits, metrics and authentication on: the model server alone, and
    the whole product behind its web API."""
    model_server = Server(
        name="discern",
        title="Discern model server",
        command=lambda port: [
            sys.executable, "-m", "discern.cli", "model-server",
            "--host", "127.0.0.1", "--port", str(port),
        ],
        path="/v1/analyze",
        environment={"DISCERN_MODEL_SERVER_TOKEN": TOKEN},
        headers={"Authorization": f"Bearer {TOKEN}"},
        folder=ROOT,
    )  # fmt: skip
    web = Server(
        name="discern-web",
        title="Discern web API (discern up)",
        command=lambda port: [
            sys.executable, "-m", "discern.cli", "up", "--host", "127.0.0.1", "--port", str(port),
        ],
        path="/api/v1/analyze",
        folder=ROOT,
        prepare=_home_with_key,
    )  # fmt: skip
    return [model_server, web]


def _home_with_key(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    environment = {"DISCERN_HOME": str(folder), "DISCERN_DEMO": "1"}

    def discern_web(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "discern.web", *arguments],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"discern.web {arguments[0]}: {done.stderr[-1000:]}")
        return done.stdout

    discern_web("migrate", "--no-input")
    user = re.search(r"User: (\S+)", discern_web("make_demo"))
    if user is None:
        raise RuntimeError("make_demo printed no user")
    key = discern_web("create_key", user[1], "--name", "benchmark").split()[-1]
    return environment, {"Authorization": f"Bearer {key}"}


def peer_servers() -> list[Server]:
    """The peers, two threads of inference each, every one with its own batching if it has any."""
    return [
        _script("litserve", "LitServe", "litserve_app.py", "/predict"),
        _script(
            "mlserver", "MLServer", "mlserver_app.py", "/v2/models/sentiment/infer",
            body=infer_body, ports=3,
            # It runs one batch at a time, so its one session gets both threads.
            environment={"BENCH_THREADS": "2"},
        ),
        _bentoml(),
        _script("fastapi", "FastAPI + ONNX Runtime", "fastapi_app.py", "/analyze"),
        _script(
            "ray", "Ray Serve", "ray_app.py", "/analyze", isolated=True,
            environment={
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN": TOKEN,
                "RAY_USAGE_STATS_ENABLED": "0",
            },
        ),
    ]  # fmt: skip


def blog_servers() -> list[Server]:
    """The usual Flask tutorial's application: as published, and behind gunicorn."""
    published = _script(
        "blog", "Blog (Flask, debug=True)", "blog_app.py", "/analyze",
        only={"short": (1, 8, 32, 64), "long": (1, 8, 32, 64)},
    )  # fmt: skip
    gunicorn = _script(
        "blog-gunicorn", "Blog (gunicorn -w 2)", "", "/analyze", command=_gunicorn,
        only={"short": (1, 32)},
    )  # fmt: skip
    pinned = _script(
        "blog-pinned", "Blog (gunicorn -w 2, one thread each)", "", "/analyze", command=_gunicorn,
        environment={"OMP_NUM_THREADS": "1"},
        only={"short": (1, 8, 32, 64), "long": (1, 32)},
    )  # fmt: skip
    return [published, gunicorn, pinned]


def _gunicorn(port: int) -> list[str]:
    return [
        str(python_of("blog")), "-m", "gunicorn", "-w", "2", "--timeout", "0",
        "--log-level", "error", "-b", f"127.0.0.1:{port}", "blog_app:app",
    ]  # fmt: skip


def version(server: Server) -> str:
    """The version of what is measured."""
    packages = {"bentoml": "bentoml", "ray": "ray", "fastapi": "fastapi"}
    packages |= {"litserve": "litserve", "mlserver": "mlserver", "blog": "transformers"}
    peer = server.name.partition("-")[0]
    if peer not in packages:
        from discern import __version__

        return str(__version__)
    return version_of(peer, packages[peer])


def _script(
    name: str,
    title: str,
    script: str,
    path: str,
    *,
    command: Callable[[int], list[str]] | None = None,
    body: Callable[[str], str] = text_body,
    environment: Mapping[str, str] | None = None,
    ports: int = 1,
    isolated: bool = False,
    only: Mapping[str, tuple[int, ...]] | None = None,
) -> Server:
    peer = name.partition("-")[0]
    return Server(
        name=name,
        title=title,
        command=command or (lambda _: [str(python_of(peer)), script]),
        path=path,
        body=body,
        environment={"BENCH_THREADS": "1", **(environment or {})},
        ports=ports,
        isolated=isolated,
        same_model=peer != "blog",
        only=only or {},
    )


def _bentoml() -> Server:
    def command(port: int) -> list[str]:
        return [
            str(python_of("bentoml")), "-m", "bentoml", "serve", "bentoml_app:SentimentService",
            "--host", "127.0.0.1", "--port", str(port),
        ]  # fmt: skip

    quiet = {"BENTOML_DO_NOT_TRACK": "True"}
    return _script(
        "bentoml", "BentoML", "", "/analyze", command=command, body=texts_body, environment=quiet
    )


def scores_in(answer: Any) -> dict[str, float] | None:
    """The label scores somewhere in a server's answer, whatever it wraps them in."""
    if isinstance(answer, str) and answer.startswith("{"):
        return scores_in(json.loads(answer))
    if isinstance(answer, dict):
        if isinstance(answer.get("scores"), dict):
            return {str(label): float(score) for label, score in answer["scores"].items()}
        answer = list(answer.values())
    if isinstance(answer, list):
        return next((found for item in answer if (found := scores_in(item))), None)
    return None
