"""Services named in the environment: looked at only, to say early that one does not answer.

Not spoken to any further: they may ask for TLS or a login that only their real client knows.
"""

import socket
from urllib.parse import urlsplit

from tests.services.errors import ServiceError
from tests.services.origin import POSTGRES

_TIMEOUT_SECONDS = 5.0
_POSTGRES_PORT = 5432


def check(variable: str, value: str) -> None:
    """Raises ServiceError when none of the addresses in the value takes a connection."""
    addresses = _addresses(variable, value)
    if addresses and not any(_listens(host, port) for host, port in addresses):
        named = ", ".join(f"{host}:{port}" for host, port in addresses)
        raise ServiceError(
            f"{variable} is set, but nothing answers at {named}. "
            "Start it, or unset the variable to have one started."
        )


def _addresses(variable: str, value: str) -> list[tuple[str, int]]:
    """host:port pairs; empty where there is no such thing, as with a socket folder."""
    try:
        if variable == POSTGRES:
            url = urlsplit(value)
            return [(url.hostname, url.port or _POSTGRES_PORT)] if url.hostname else []
        pairs = (address.strip().rpartition(":") for address in value.split(","))
        return [(host.rpartition("//")[2].strip("[]"), int(port)) for host, _, port in pairs]
    except ValueError:  # several hosts in one URL, or not an address at all: its client will say
        return []


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), _TIMEOUT_SECONDS).close()
    except OSError:
        return False
    return True
