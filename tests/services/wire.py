"""Just enough of both wire protocols to see that a server really answers, with no client library.

An open port is too early: a broker accepts connections before it knows the cluster, and PostgreSQL
while it still recovers.
"""

import socket
import struct

from tests.services.port import HOST

_TIMEOUT_SECONDS = 2.0
_ANSWER = struct.Struct(">iii")  # size, correlation id, number of brokers


def kafka_answers(port: int) -> bool:
    """Whether a Metadata request (key 3, version 1) lists at least one broker.

    https://kafka.apache.org/protocol: api key, api version, correlation id, client id, topics.
    """
    request = struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">i", 0)
    try:
        with socket.create_connection((HOST, port), _TIMEOUT_SECONDS) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = _receive(connection, _ANSWER.size)
    except OSError:
        return False
    return len(answer) == _ANSWER.size and _ANSWER.unpack(answer)[2] > 0


def postgres_answers(port: int, user: str, database: str) -> bool:
    """Whether a StartupMessage (protocol 3.0) is answered by authentication instead of an error.

    https://www.postgresql.org/docs/current/protocol-message-formats.html
    """
    fields = f"user\0{user}\0database\0{database}\0\0".encode()
    request = struct.pack(">ii", 8 + len(fields), 196_608) + fields
    try:
        with socket.create_connection((HOST, port), _TIMEOUT_SECONDS) as connection:
            connection.sendall(request)
            return _receive(connection, 1) == b"R"
    except OSError:
        return False


def _receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size and (chunk := connection.recv(size - len(received))):
        received += chunk
    return received
