"""A client that will not give up: it uploads pictures, each once by its Idempotency-Key, and asks
in the end what has become of every one."""

from __future__ import annotations

import io
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from PIL import Image, ImageDraw, ImageFont

GIVE_UP_S: Final = 600.0
FINAL: Final = {"done", "failed", "dead"}


def numbered_picture(number: int) -> tuple[bytes, tuple[int, int]]:
    """A small picture that shows its number; its size, too, differs from its neighbors'."""
    size = (160 + number % 64, 64 + number % 32)
    image = Image.new("RGB", size, "white")
    font = ImageFont.load_default(size=30)
    ImageDraw.Draw(image).text((10, 12), f"good {number}", fill="black", font=font)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue(), size


@dataclass(slots=True)
class Findings:
    """What became of the uploads. ``lost`` are those accepted and not to be found, ``doubled``
    the rows there are beyond one for each, ``wrong`` results of another picture."""

    accepted: int = 0
    done: int = 0
    failed: int = 0
    dead: int = 0
    unfinished: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    retried_after_dead: int = 0
    refusals: dict[str, int] = field(default_factory=dict)


class StubbornClient:
    """Uploads ``wanted`` pictures over a few connections until each is accepted."""

    def __init__(self, address: str, key: str, *, wanted: int, threads: int = 4) -> None:
        self._address, self._key, self._threads = address, key, threads
        self.wanted = wanted
        self.accepted: dict[int, str] = {}
        self.refusals: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._let_in = threading.Condition()
        self._allowed = 0

    def run(self) -> None:
        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(self._upload, range(self.wanted)))

    def let_in(self, share: float) -> None:
        """Allows that share of all uploads to be sent."""
        with self._let_in:
            self._allowed = max(self._allowed, round(share * self.wanted))
            self._let_in.notify_all()

    def is_busy(self) -> bool:
        """Whether a picture is being worked on right now, as far as the site can say."""
        try:
            with self._client() as client:
                answer = client.get("/api/v1/uploads?state=processing&page_size=1", timeout=5.0)
                return answer.status_code == 200 and bool(answer.json()["results"])
        except httpx.TransportError:
            return False

    def _upload(self, number: int) -> None:
        with self._let_in:
            self._let_in.wait_for(lambda: self._allowed > number)
        data, _ = numbered_picture(number)
        end = time.monotonic() + GIVE_UP_S
        with self._client() as client:
            while time.monotonic() < end:
                answer = self._try(client, number, data)
                if answer is not None:
                    with self._lock:
                        self.accepted[number] = answer
                    return
                time.sleep(0.3)

    def _try(self, client: httpx.Client, number: int, data: bytes) -> str | None:
        try:
            response = client.post(
                "/api/v1/uploads",
                files={"files": (f"{number}.png", data)},
                headers={"Idempotency-Key": f"picture-{number}"},
            )
        except httpx.TransportError as error:
            self._refused(type(error).__name__)
            return None
        if response.status_code != 202:
            self._refused(str(response.status_code))
            return None
        return str(response.json()["uploads"][0]["id"])

    def judge(self, *, limit_s: float) -> Findings:
        """Waits until every upload has come to an end, and looks at each."""
        findings = Findings(accepted=len(self.accepted), refusals=dict(self.refusals))
        with self._client() as client:
            rows = self._settled(client, limit_s)
            dead = [row for row in rows.values() if row["state"] == "dead"]
            for row in dead:
                client.post(f"{row['links']['self']}/retry")
            if dead:
                findings.retried_after_dead = len(dead)
                rows = self._settled(client, limit_s)
        by_id = {row["id"]: row for row in rows.values()}
        findings.doubled = len(by_id) - len(self.accepted)
        for number, upload_id in self.accepted.items():
            self._look_at(findings, number, by_id.get(upload_id))
        return findings

    @staticmethod
    def _look_at(findings: Findings, number: int, row: dict[str, Any] | None) -> None:
        if row is None:
            findings.lost += 1
            return
        state = row["state"] if row["state"] in FINAL else "unfinished"
        setattr(findings, state, getattr(findings, state) + 1)
        _, size = numbered_picture(number)
        is_own = (row["width"], row["height"]) == size and row["name"] == f"{number}.png"
        if state == "done" and not is_own:
            findings.wrong += 1

    def _settled(self, client: httpx.Client, limit_s: float) -> dict[str, dict[str, Any]]:
        end = time.monotonic() + limit_s
        while True:
            rows = self._all(client)
            unfinished = [row for row in rows.values() if row["state"] not in FINAL]
            if not unfinished or time.monotonic() > end:
                return rows
            time.sleep(2)

    def _all(self, client: httpx.Client) -> dict[str, dict[str, Any]]:
        rows: dict[str, dict[str, Any]] = {}
        address: str | None = "/api/v1/uploads?page_size=200"
        while address:
            try:
                response = client.get(address)
            except httpx.TransportError:
                time.sleep(0.5)
                continue
            if response.status_code != 200:
                time.sleep(0.5)
                continue
            page = response.json()
            rows.update((row["id"], row) for row in page["results"])
            address = page["next"]
        return rows

    def _client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self._address,
            headers={"Authorization": f"Bearer {self._key}"},
            timeout=30.0,
        )

    def _refused(self, why: str) -> None:
        with self._lock:
            self.refusals[why] += 1
