"""Java 17+ and Maven: whether they are there, and installing them where that is ours to do.

Only `make` installs (Debian or Ubuntu, as root, said aloud); the tests merely look.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

JAVA_LOWEST = 17
_TAIL = 2_000  # characters of apt-get's output that are shown when it fails
# The newest long-term release first; each Debian and Ubuntu since 2021 has at least one of them.
_JAVA_PACKAGES = ("openjdk-25-jre-headless", "openjdk-21-jre-headless", "openjdk-17-jre-headless")


def java() -> str:
    """The java to run: JAVA_HOME's where it is set, as Maven decides it too."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin", "java")) if home else "java"


@functools.cache
def missing() -> tuple[str, ...]:
    """Names of what is missing; empty when servers can be run."""
    lacking = []
    if _java_version() < JAVA_LOWEST:
        lacking.append(f"Java {JAVA_LOWEST}+")
    if shutil.which("mvn") is None:
        lacking.append("Maven")
    return tuple(lacking)


def install_missing() -> None:
    """Install what is missing with apt-get where that is possible; otherwise do nothing."""
    if not missing() or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print(f"Missing: {', '.join(missing())}. Installing with apt-get.", file=sys.stderr, flush=True)
    apt_get("update")
    wanted = ["maven"]
    if _java_version() < JAVA_LOWEST:
        wanted.append(next(filter(_is_offered, _JAVA_PACKAGES), _JAVA_PACKAGES[-1]))
    apt_get("install", "--yes", "--no-install-recommends", *wanted)
    missing.cache_clear()
    _java_version.cache_clear()


@functools.cache
def _java_version() -> int:
    try:
        asked = subprocess.run([java(), "-version"], capture_output=True, text=True, check=False)
    except OSError:
        return 0
    found = re.search(r'version "(\d+)', asked.stderr)
    return int(found[1]) if found else 0


def apt_get(*arguments: str) -> None:
    """Run it without questions; what is still missing after a failure is for others to report."""
    ran = subprocess.run(
        ["apt-get", "-qq", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        print(ran.stdout[-_TAIL:], file=sys.stderr)


def _is_offered(package: str) -> bool:
    asked = subprocess.run(
        ["apt-cache", "policy", package], capture_output=True, text=True, check=False
    )
    return "Candidate:" in asked.stdout and "Candidate: (none)" not in asked.stdout
