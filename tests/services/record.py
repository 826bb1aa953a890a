"""What `up` started, kept in .local/services.json so that `down`, and the next `up`, find it again.

    {"kafka": {"origin": "MAVEN", "url": "127.0.0.1:20511", "ports": [20511, 31877], …}, …}

A service given in the environment is not ours and never stands here. Ports outlive a stop: an
address written down yesterday is right today.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.services.server_process import ServerProcess


@dataclass(frozen=True, slots=True)
class Entry:
    """One service of ours. Without a pid it does not run, or it is Docker that runs it."""

    origin: str
    url: str
    ports: tuple[int, ...] = ()
    pid: int | None = None
    started: str = ""

    def process(self, name: str) -> ServerProcess | None:
        """The process, if it is still the one that was recorded."""
        if self.pid is None:
            return None
        found = ServerProcess(name, self.pid, self.started)
        return found if found.alive() else None


def read(path: Path) -> dict[str, Entry]:
    """Everything recorded; empty when nothing is, or when it cannot be read."""
    try:
        return {name: Entry(**entry) for name, entry in json.loads(path.read_text()).items()}
    except (FileNotFoundError, ValueError, TypeError):
        return {}


def write(path: Path, entries: dict[str, Entry]) -> None:
    """All or nothing, by rename."""
    partial = path.with_suffix(".partial")
    partial.write_text(
        json.dumps({name: asdict(entry) for name, entry in entries.items()}, indent=2)
    )
    partial.rename(path)
