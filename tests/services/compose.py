"""The services of docker-compose.yml, for people who have a Docker engine.

Only the two servers: the ingester itself runs from the checkout here.
"""

import functools
import subprocess
from pathlib import Path

from tests.services.errors import ServiceError
from tests.services.origin import docker_answers
from tests.services.port import HOST

_FILE = Path(__file__).parents[2] / "docker-compose.yml"
_START_SECONDS = 300  # the first start pulls images
_CONTAINER_PORTS = {"kafka": 19092, "postgres": 5432}


@functools.cache
def answers() -> bool:
    """Whether there is an engine and its compose plug-in, which is a package of its own."""
    if not docker_answers():
        return False
    command = ["docker", "compose", "version"]
    return (
        subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False
        ).returncode
        == 0
    )


def up(service: str) -> str:
    """Start one service, wait for its health check, return host:port as published."""
    _compose("up", "--detach", "--wait", f"--wait-timeout={_START_SECONDS}", service)
    published = _compose("port", service, str(_CONTAINER_PORTS[service]))
    return f"{HOST}:{published.rpartition(':')[2]}"


def down(service: str) -> None:
    """Stop one service; its volume stays, as the data under .local does."""
    _compose("stop", service)


def _compose(*arguments: str) -> str:
    command = ["docker", "compose", f"--file={_FILE}", *arguments]
    ran = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if ran.returncode != 0:
        raise ServiceError(f"{' '.join(command)} failed:\n{ran.stderr.strip()}")
    return ran.stdout.strip()
