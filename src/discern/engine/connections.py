"""Kept-alive HTTP/1.1 connections to one model server.

A web process asks it for every request that it answers itself, and a general client's pools,
retries and header objects cost more there than the model server's own part of a short call. What a
server of JSON sends is all that is read: a status, and a body of known length, in chunks, or up to
the end of the connection.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from typing import Final

_PART: Final = 65_536
_MOST_HEAD: Final = 65_536
_SAME_S: Final = 0.01


class ConnectionLost(Exception):
    """The server took the request, and then closed the connection or sent what is not HTTP before
    a whole answer."""


class AnswerLate(Exception):
    """The answer did not come in time; the connection has been closed."""


class Connections:
    """A pool for any number of threads; the connection that was used last is used next.

    Args:
        host, port: where the server listens.
        secure: speak TLS, with the system's certificates.
        most_idle: further idle connections are closed.
        connect_timeout_s: the longest wait for a connection.
    """

    def __init__(
        self, host: str, port: int, *, secure: bool, most_idle: int, connect_timeout_s: float
    ) -> None:
        self._address = (host, port)
        self._name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._tls = ssl.create_default_context() if secure else None
        self._most_idle = most_idle
        self._connect_timeout_s = connect_timeout_s
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []

    def ask(
        self, method: str, path: str, headers: str, body: bytes | None, end: float
    ) -> tuple[int, bytes]:
        """The status and body of one answer. ``headers`` are whole lines; ``end`` is a
        :func:`time.monotonic` instant.

        A request whose connection ended before the answer came is sent once more, on a new one:
        the server may have closed a kept-alive connection while it was idle.

        Raises:
            AnswerLate: ``end`` came first.
            ConnectionLost: the second try was lost too, or could not be made any more.
            OSError: no connection could be made, and the server has seen nothing of the request.
        """
        length = "" if body is None else f"Content-Length: {len(body)}\r\n"
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._name}\r\n{headers}{length}\r\n"
        message = head.encode("latin-1") + (body or b"")
        try:
            return self._ask(self._take() or self._connect(end), message, end)
        except ConnectionLost as lost:
            # The others have most likely been closed with it.
            self.close()
            try:
                again = self._connect(end)
            except OSError:
                raise lost from None
            return self._ask(again, message, end)

    def close(self) -> None:
        """Closes idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> _Connection | None:
        """The idle connection used last. Those the server has closed meanwhile are dropped: a
        request sent on one would look as if it had been lost under the server's hands."""
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if connection.is_quiet():
                    return connection
                connection.close()
        return None

    def _connect(self, end: float) -> _Connection:
        left = max(min(self._connect_timeout_s, end - time.monotonic()), 0.001)
        plain = socket.create_connection(self._address, timeout=left)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is None:
                return _Connection(plain)
            return _Connection(self._tls.wrap_socket(plain, server_hostname=self._address[0]))
        except BaseException:
            plain.close()
            raise

    def _ask(self, connection: _Connection, message: bytes, end: float) -> tuple[int, bytes]:
        try:
            answer = connection.ask(message, end)
        except TimeoutError:
            connection.close()
            raise AnswerLate from None
        except (OSError, ValueError) as error:
            connection.close()
            raise ConnectionLost(str(error)) from error
        except BaseException:
            connection.close()
            raise
        with self._lock:
            keep = connection.reusable and len(self._idle) < self._most_idle
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()
        return answer


class _Connection:
    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._timeout_s = -1.0
        self._buffer = bytearray()
        self._end = 0.0
        self._poll = select.poll()
        self._poll.register(peer, select.POLLIN)
        self.reusable = True

    def is_quiet(self) -> bool:
        """Whether nothing came since the last answer, neither bytes nor the connection's end."""
        return not self._poll.poll(0)

    def ask(self, message: bytes, end: float) -> tuple[int, bytes]:
        """Raises TimeoutError after ``end``; OSError or ValueError for no whole answer."""
        self._end = end
        self._wait_until_end()
        self._peer.sendall(message)
        status, head = self._head()
        while 100 <= status < 200:
            status, head = self._head()
        if b"\r\nconnection: close" in head or head.startswith(b"http/1.0"):
            self.reusable = False
        body = self._body(status, head)
        if self._buffer:  # more than was asked for is no answer to the next request
            self.reusable = False
        return status, body

    def close(self) -> None:
        self._peer.close()

    def _head(self) -> tuple[int, bytes]:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > _MOST_HEAD:
                raise ValueError("a head without an end")
            self._receive()
        head = bytes(self._buffer[:end]).lower()
        del self._buffer[: end + 4]
        if not head.startswith(b"http/1."):
            raise ValueError("an answer that is not HTTP/1.1")
        return int(head[9:12]), head

    def _body(self, status: int, head: bytes) -> bytes:
        if status in (204, 304):
            return b""
        if b"\r\ntransfer-encoding:" in head:
            return self._chunks()
        at = head.find(b"\r\ncontent-length:")
        if at >= 0:
            return self._exactly(_number(head[at + 17 :].partition(b"\r\n")[0], 10))
        self.reusable = False
        return self._rest()

    def _chunks(self) -> bytes:
        parts = []
        while size := _number(self._line().partition(b";")[0], 16):
            parts.append(self._exactly(size))
            self._line()
        while self._line():
            pass
        return b"".join(parts)

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._receive()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._receive()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _rest(self) -> bytes:
        while part := self._peer.recv(_PART):
            self._buffer += part
            self._wait_until_end()
        return bytes(self._buffer)

    def _receive(self) -> None:
        part = self._peer.recv(_PART)
        if not part:
            raise ValueError("the connection ended")
        self._buffer += part
        self._wait_until_end()

    def _wait_until_end(self) -> None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        # Setting it is a call of the system; most requests may take the same time.
        if abs(left - self._timeout_s) > _SAME_S:
            self._timeout_s = left
            self._peer.settimeout(left)


def _number(text: bytes, base: int) -> int:
    digits = text.strip()
    if not digits.isalnum():  # int() would also take signs and underscores
        raise ValueError("a length that is no number")
    return int(digits, base)
