"""Loopback ports for servers that get stopped and started again on the same port.

Not taken by binding port 0: that answers from the ephemeral range, out of which the kernel also
serves outgoing connections. A client that reconnects while its server is down may then be given the
server's own port (and even connect to itself), and the restarted server finds it taken. So ports
come from below every common ephemeral range (Linux 32768+, IANA 49152+).
"""

import random
import socket

from tests.services.errors import ServiceError

HOST = "127.0.0.1"
_LOWEST, _HIGHEST = 20_000, 32_000
_TRIES = 200
_RANDOM = random.SystemRandom()
"""Another process that looks at the same time, from the same seed, must not find the same ports."""


def is_free(port: int) -> bool:
    """Whether a server could listen there now; connections in TIME_WAIT do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port(kept: int | None = None) -> int:
    """The kept port while it is free, else a new one."""
    if kept is not None and is_free(kept):
        return kept
    for _ in range(_TRIES):
        port = _RANDOM.randint(_LOWEST, _HIGHEST)
        if is_free(port):
            return port
    raise ServiceError(f"No free port on {HOST} between {_LOWEST} and {_HIGHEST}.")
