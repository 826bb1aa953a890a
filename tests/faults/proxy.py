"""A TCP proxy between a worker and PostgreSQL that can do what networks do.

It cuts all connections, stalls (what is sent arrives when the stall is over), slows down, or
swallows the reply to COMMIT and cuts: the one fault after which nobody knows. Plain sockets and
threads; a `make faults` needs no other program.
"""

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from tests.services.port import HOST

_CHUNK_BYTES: Final = 16 * 1024
_COMMITTED: Final = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""PostgreSQL's CommandComplete (protocol 3.0) of a COMMIT: type, length, tag."""


class Proxy:
    """Serves while the block runs; `url` of a database behind it."""

    def __init__(self, target_url: str) -> None:
        split = urlsplit(target_url)
        self._target = (split.hostname or HOST, split.port or 5432)
        self._listener = socket.create_server((HOST, 0))
        address = f"{split.username}@{HOST}:{self._listener.getsockname()[1]}"
        self.url = split._replace(netloc=address).geturl()
        self.replies_swallowed = 0
        self._swallow = 0
        self._flowing = threading.Event()
        self._flowing.set()
        self._bytes_per_second: float | None = None
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True, name="proxy").start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()
        self.heal()
        self.cut()

    # -- what a test does

    def swallow_replies(self, count: int) -> None:
        """Let so many of the next COMMITs be carried out and never answered."""
        self._swallow = count

    def cut(self) -> None:
        """Cut every connection, both ways, now."""
        with self._lock:
            sockets, self._open = self._open, set()
        for each in sockets:
            _cut(each)

    def stall(self) -> None:
        """Let nothing through until `heal`."""
        self._flowing.clear()

    def slow(self, bytes_per_second: float) -> None:
        """Let only so much through, each way, until `heal`."""
        self._bytes_per_second = bytes_per_second

    def heal(self) -> None:
        """Pass everything on again."""
        self._bytes_per_second = None
        self._flowing.set()

    # -- what it does by itself

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            try:
                server = socket.create_connection(self._target, 5.0)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {client, server}
            for source, sink, replies in ((client, server, False), (server, client, True)):
                pump = (source, sink, replies)
                threading.Thread(target=self._pump, args=pump, daemon=True, name="pump").start()

    def _pump(self, source: socket.socket, sink: socket.socket, replies: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                self._flowing.wait()
                if self._bytes_per_second:
                    time.sleep(len(data) / self._bytes_per_second)
                if replies and self._is_to_be_swallowed(data):
                    break
                sink.sendall(data)
        with self._lock:
            self._open -= {source, sink}
        _cut(source)
        _cut(sink)

    def _is_to_be_swallowed(self, data: bytes) -> bool:
        with self._lock:
            if not self._swallow or _COMMITTED not in data:
                return False
            self._swallow -= 1
            self.replies_swallowed += 1
            return True


def _cut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
