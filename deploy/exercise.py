"""Does the main jobs over HTTP and asks Prometheus what the dashboard asks; standard library only.

    DISCERN_KEY=dk_... python3 exercise.py dashboard.json [WORD.EXTENSION ...]
    DISCERN_KEY=dk_... python3 exercise.py kept
    python3 exercise.py ask EXPRESSION

A picture's name is a word that stands in it. The key is a service account's: it acts for readers
that it makes up. It exits with 1 and says what is wrong, or prints what it saw. ``kept`` prints
what must be the same after a backup was restored, ``ask`` what Prometheus answers first.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

SITE = os.environ.get("DISCERN_SITE", "http://127.0.0.1:8000")
PATIENCE_S = float(os.environ.get("DISCERN_PATIENCE_S", "60"))
PROMETHEUS = os.environ.get("DISCERN_PROMETHEUS", "http://127.0.0.1:9090")


def fetch(path: str, data: bytes | None = None, kind: str = "application/json") -> bytes:
    headers = {"Authorization": f"Bearer {os.environ['DISCERN_KEY']}", "Content-Type": kind}
    request = urllib.request.Request(SITE + path, data=data, headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return bytes(answer.read())


def call(path: str, data: bytes | None = None, kind: str = "application/json") -> Any:
    return json.loads(fetch(path, data, kind))


def wait_for(what: str, check: Callable[[], Any], seconds: float = 90) -> Any:
    end = time.monotonic() + seconds
    while True:
        try:
            result = check()
            if result:
                return result
        except (OSError, urllib.error.URLError) as error:
            result = error
        if time.monotonic() > end:
            sys.exit(f"{what}: not within {seconds:g} s ({result})")
        time.sleep(0.3)


def ready() -> bool:
    with urllib.request.urlopen(f"{SITE}/health/ready", timeout=5) as answer:  # noqa: S310
        return bool(answer.status == 200)


def picture(*, depth: int = 8) -> bytes:
    """A black PNG with a light square, of ``depth`` bits: 3, which PNG does not know, makes one
    that is taken in and cannot be decoded."""
    rows = b"".join(
        b"\0" + bytes(230 if x >= 64 and 32 <= y < 96 else 0 for x in range(128))
        for y in range(128)
    )
    parts = [b"\x89PNG\r\n\x1a\n"]
    header = (128).to_bytes(4, "big") * 2 + bytes([depth, 0, 0, 0, 0])
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        parts += [len(body).to_bytes(4, "big"), kind, body]
        parts.append(zlib.crc32(kind + body).to_bytes(4, "big"))
    return b"".join(parts)


def send(path: str, field: str, filename: str, content: bytes) -> Any:
    boundary = uuid.uuid4().hex
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{filename}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return call(path, body, f"multipart/form-data; boundary={boundary}")


def upload(content: bytes) -> str:
    """The path of the picture that was taken in."""
    answer = send("/api/v1/uploads", "files", "a.png", content)
    return str(answer["uploads"][0]["links"]["self"])


def ended(path: str, state: str = "done") -> Any:
    """The job when it has come to ``state``; None before that."""
    row = call(path)
    if row["state"] in {"done", "failed", "dead"} - {state}:
        sys.exit(f"{path} should be {state}: {row}")
    return row if row["state"] == state else None


def is_refused(path: str, data: bytes) -> bool:
    try:
        call(path, data)
    except urllib.error.HTTPError as error:
        return 400 <= error.code < 500
    return False


def send_what_fails() -> None:
    """A picture that cannot be decoded, and a text that is none."""
    wrong = upload(picture(depth=3))
    row = wait_for("a picture that cannot be decoded fails", partial(ended, wrong, "failed"))
    print(f"upload: {json.dumps(row)[:300]}")
    if not is_refused("/api/v1/analyze", b'{"text": 1}'):
        sys.exit("a text that is a number was analyzed")


def look_at(content: bytes, word: str = "") -> None:
    """A worker finds what is bright in it, and reads the word; nothing is left out."""
    row = wait_for("an upload is done", partial(ended, upload(content)))
    print(f"upload: {json.dumps(row)[:300]}")
    if row["notes"]:
        sys.exit(f"steps were left out: {row['notes']}")
    if "light" not in [item["label"] for item in row["objects"]["objects"]]:
        sys.exit(f"the light in it was not found: {row['objects']}")
    text = row["text"]["text"]
    print(f"text read: {text!r}, mood: {row['mood'] and row['mood']['label']}")
    if word.casefold() not in text.casefold():
        sys.exit(f"{word!r} was not read, but {text!r}")


def kept() -> dict[str, Any]:
    """What the database, the files and the library hold, in a form to compare."""
    rows = call("/api/v1/uploads?state=done&page_size=100")["results"]
    found = {
        row["id"]: [
            row["objects"],
            row["text"],
            hashlib.sha256(fetch(f"/api/v1/uploads/{row['id']}/picture")).hexdigest(),
        ]
        for row in rows
    }
    shown = call("/api/v1/recommendations?person=Sea-reader-0&n=5")
    names = sorted(line["content_id"] for line in shown["items"])
    if not found or shown["source"] != "model":
        sys.exit(f"nothing to compare: {len(found)} uploads, a list from {shown['source']}")
    return {"uploads": found, "source": shown["source"], "model": shown["model"], "list": names}


def fill_library() -> None:
    """Two themes, and readers who keep to one of them."""
    themes = {"Sea": "boat harbor wave sail tide", "Hills": "path summit stone sheep ridge"}
    contents = [
        {"content_id": f"{theme}-{n}", "title": f"{theme} {n}", "text": words, "category": theme}
        for theme, words in themes.items()
        for n in range(12)
    ]
    interactions = [
        {"user_id": f"{theme}-reader-{n}", "content_id": f"{theme}-{(n + step) % 12}", "liked": 1}
        for theme in themes
        for n in range(24)
        for step in range(5)
    ]
    for field, rows in (("contents", contents), ("interactions", interactions)):
        call(f"/api/v1/{field}", json.dumps({field: rows}).encode())


def list_of_the_model(version: str) -> Any:
    shown = call("/api/v1/recommendations?person=Sea-reader-0&n=5")
    model = shown["model"]
    return shown if shown["source"] == "model" and model["version"] == version else None


def recommend() -> None:
    """A worker fits, the model server follows, and what was liked is not suggested again."""
    fill_library()
    newest = call("/api/v1/recommendations?person=Hills-reader-0&n=3")
    print(f"recommend: from {newest['source']}")
    fit = call("/api/v1/recommendations/fits", b'{"tune_seconds": 1}')
    row = wait_for("a model is fitted", partial(ended, f"/api/v1/recommendations/fits/{fit['id']}"))
    shown = wait_for("the model server has it", lambda: list_of_the_model(row["version"]))
    print(f"recommend: {json.dumps(shown)[:300]}")
    first = shown["items"][0]["content_id"]
    if not first.startswith("Sea-"):
        sys.exit(f"a reader of the sea is suggested {first}")
    like = {"user_id": "Sea-reader-0", "content_id": first, "liked": 1}
    body = {"interactions": [like], "impression": shown["impression"]}
    call("/api/v1/interactions", json.dumps(body).encode())
    again = call("/api/v1/recommendations?person=Sea-reader-0&n=5")
    if first in [line["content_id"] for line in again["items"]]:
        sys.exit(f"{first} was liked and is suggested again")


def questions(dashboard: Path) -> list[tuple[str, str]]:
    panels = json.loads(dashboard.read_text())["panels"]
    return [
        (panel["title"], target["expr"].replace("$__rate_interval", "30s"))
        for panel in panels
        for target in panel["targets"]
    ]


def values(expression: str) -> list[str]:
    query = urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(f"{PROMETHEUS}/api/v1/query?{query}", timeout=10) as answer:  # noqa: S310
        return [series["value"][1] for series in json.load(answer)["data"]["result"]]


def answered(expression: str) -> bool:
    return any(value not in ("NaN", "+Inf") for value in values(expression))


def make_traffic() -> None:
    call("/api/v1/analyze", b'{"text": "Good."}')
    is_refused("/api/v1/analyze", b'{"text": 1}')
    for person in ("Sea-reader-1", "somebody-new"):
        call(f"/api/v1/recommendations?person={person}&n=3")
    like = {"user_id": "Sea-reader-1", "content_id": "Sea-3", "liked": 1}
    call("/api/v1/interactions", json.dumps({"interactions": [like]}).encode())
    upload(picture())
    upload(picture(depth=3))


def ask_everything(asked: list[tuple[str, str]]) -> None:
    """Goes on with everything until Prometheus has data for each question: a rate has some only
    while something goes on."""
    end = time.monotonic() + PATIENCE_S
    while asked:
        make_traffic()
        time.sleep(0.5)
        unanswered = []
        for title, expression in asked:
            if answered(expression):
                print(f"dashboard: {title}: answered: {expression}")
            else:
                unanswered.append((title, expression))
        asked = unanswered
        if asked and time.monotonic() > end:
            lines = [f"  {title}: {expression}" for title, expression in asked]
            sys.exit("\n".join(["Prometheus has no data for", *lines]))


def main() -> None:
    if sys.argv[1] == "ask":
        print(*values(sys.argv[2])[:1])
        return
    wait_for("the site is ready", ready)
    if sys.argv[1] == "kept":
        print(json.dumps(kept(), indent=1, sort_keys=True))
        return
    for text in ("What a lovely day, I love it.", "The worst food ever."):
        answer = call("/api/v1/analyze", json.dumps({"text": text}).encode())
        print(f"analyze: {text!r} -> {json.dumps(answer)[:160]}")
    look_at(picture())
    for path in map(Path, sys.argv[2:]):
        look_at(path.read_bytes(), path.stem)
    job = send("/api/v1/text-jobs", "file", "a.csv", b"text\ngood\nbad\n")
    wait_for("a file of texts is done", partial(ended, job["links"]["self"]))
    send_what_fails()
    recommend()
    ask_everything(questions(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
