"""Answers leave the model server in one piece, and long ones do not gather in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from discern.model_server.writes import MOST_HELD, JoinedWrites


class Wire(asyncio.Transport):
    """Keeps what is written to it, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with asyncio.Runner() as runner:
        yield runner.get_loop()


def turn(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_until_complete(asyncio.sleep(0))


def test_head_and_body_are_one_write_and_the_next_answer_another(
    loop: asyncio.AbstractEventLoop,
) -> None:
    wire = Wire()
    transport = JoinedWrites(wire, loop)
    transport.write(b"head ")
    transport.write(b"body")
    assert not wire.written
    turn(loop)
    transport.write(b"next")
    turn(loop)
    assert wire.written == [b"head body", b"next"]


def test_a_long_stream_reaches_the_wire_before_the_loops_next_turn(
    loop: asyncio.AbstractEventLoop,
) -> None:
    wire = Wire()
    transport = JoinedWrites(wire, loop)
    for _ in range(4):
        transport.write(b"x" * (MOST_HELD // 2 + 1))
    assert sum(map(len, wire.written)) > MOST_HELD
    transport.close()
    assert b"".join(wire.written) == b"x" * 4 * (MOST_HELD // 2 + 1)


def test_closing_sends_what_is_held_and_a_lost_connection_drops_it(
    loop: asyncio.AbstractEventLoop,
) -> None:
    wire = Wire()
    transport = JoinedWrites(wire, loop)
    transport.write(b"last words")
    transport.close()
    assert wire.written == [b"last words"]
    assert wire.closed
    other = Wire()
    lost = JoinedWrites(other, loop)
    lost.write(b"to nobody")
    other.closed = True
    turn(loop)
    assert not other.written
