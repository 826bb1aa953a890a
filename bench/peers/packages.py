"""What the peers are made of, installed on first use: by pinned version, into .local/peers."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import report
from tests.services.standing import LOCAL, install_tools

_HERE = Path(__file__).parent
_PLACE = LOCAL / "peers"


def python() -> str:
    """The interpreter of a virtual environment with the Python peers."""
    requirements = _HERE / "requirements.txt"
    place = _place("python", requirements)
    interpreter = place / "bin" / "python"
    if not _is_complete(place):
        report.say("installing the Python peers")
        _run([sys.executable, "-m", "venv", str(place)])
        _run(
            [
                *(str(interpreter), "-m", "pip", "install", "--quiet", "--require-hashes"),
                *("--disable-pip-version-check", "--requirement", str(requirements)),
            ]
        )
        _complete(place)
    return str(interpreter)


def jars() -> Path:
    """The folder whose jars are the class path of Kafka Connect with its connector."""
    pom = _HERE / "pom.xml"
    place = _place("jars", pom)
    if not _is_complete(place):
        report.say("bringing Kafka Connect and the JDBC sink with Maven")
        install_tools()
        _run(
            [
                *("mvn", "--quiet", "--batch-mode", f"--file={pom}"),
                *("dependency:copy-dependencies", f"-DoutputDirectory={place}"),
            ]
        )
        _complete(place)
    return place


def versions() -> dict[str, str]:
    """What is pinned, by name."""
    python_pins = (_HERE / "requirements.in").read_text(encoding="utf-8")
    java_pins = (_HERE / "pom.xml").read_text(encoding="utf-8")
    found = re.findall(r"^(\w+)\S*==(\S+)$", python_pins, re.MULTILINE)
    return {
        f"{name} (peer)": version
        for name, version in [*found, *re.findall(r"<(\w+)\.version>(.+?)<", java_pins)]
    }


def _place(what: str, pinned: Path) -> Path:
    """A folder named after the pins: versions never mix."""
    return _PLACE / f"{what}-{hashlib.sha256(pinned.read_bytes()).hexdigest()[:12]}"


def _is_complete(place: Path) -> bool:
    return (place / ".complete").exists()


def _complete(place: Path) -> None:
    (place / ".complete").touch()


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
