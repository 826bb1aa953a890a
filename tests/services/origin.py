"""Where a service comes from: the order of DESIGN.md, for Kafka and PostgreSQL each by itself."""

import enum
import functools
import os
import shutil
import subprocess
from collections.abc import Callable

from tests.services import toolchain
from tests.services.errors import NoServices

KAFKA = "KAFKA_BOOTSTRAP_SERVERS"
POSTGRES = "DATABASE_URL"
_DOCKER_SECONDS = 10


class Origin(enum.Enum):
    """The value is how it is named to people."""

    GIVEN = "given in the environment"
    DOCKER = "Docker"
    MAVEN = "JDK + Maven, plain processes on the loopback"


def choose(variable: str, docker: Callable[[], bool] | None = None) -> Origin:
    """The first of the order that is there for this service. Raises NoServices with the choices.

    Args:
        variable: KAFKA or POSTGRES.
        docker: whether Docker will do; by default, whether an engine answers.
    """
    return Origin.GIVEN if os.environ.get(variable) else choose_own(docker)


def choose_own(docker: Callable[[], bool] | None = None) -> Origin:
    """The same for a server that we may stop: whatever is given in the environment is not one."""
    if (docker or docker_answers)():
        return Origin.DOCKER
    if not toolchain.missing():
        return Origin.MAVEN
    raise NoServices(
        "Nothing to run Kafka and PostgreSQL with. One of these is needed:\n"
        f"  1. {KAFKA} and {POSTGRES} set, naming servers that run already;\n"
        "  2. a Docker engine that answers; `make up` needs its compose plug-in too;\n"
        f"  3. Java {toolchain.JAVA_LOWEST}+ and Maven. Missing: {', '.join(toolchain.missing())}. "
        "On Debian and Ubuntu `make` installs them when run as root."
    )


@functools.cache
def docker_answers() -> bool:
    """Whether an engine answers: a client alone is not one."""
    if shutil.which("docker") is None:
        return False
    try:
        asked = subprocess.run(
            ["docker", "info", "--format", "{{.ServerVersion}}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_DOCKER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0 and asked.stdout.strip() != b""
