"""The unprivileged account that PostgreSQL runs under when we are root, and where it can reach.

initdb and postgres refuse root. A checkout may lie under a folder that is closed to everyone else
(/root is 0700), so binaries and data move to a temporary directory there; a file named `elsewhere`
in the wanted directory records it, which makes the next start find the same place.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.services.errors import NoServices

_NOTE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a server runs as."""

    name: str
    uid: int
    gid: int

    def can_enter(self, directory: Path) -> bool:
        """Asked of the kernel rather than read off the modes: ACLs and mounts count too."""
        probe = ["/bin/sh", "-c", 'cd "$1"', "sh", str(directory)]
        answer = subprocess.run(
            probe,
            user=self.uid,
            group=self.gid,
            extra_groups=[],
            cwd="/",
            stderr=subprocess.DEVNULL,
            check=False,
        )
        return answer.returncode == 0

    def owns(self, directory: Path) -> None:
        """Make the directory this account's own, closed to others, as initdb demands."""
        directory.mkdir(parents=True, exist_ok=True)
        os.chown(directory, self.uid, self.gid)
        directory.chmod(0o700)


def unprivileged_account() -> Account | None:
    """None where we are not root: then servers simply run as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise NoServices("PostgreSQL refuses to run as root, and no account postgres or nobody exists.")


def reachable(wanted: Path, account: Account | None) -> Path:
    """`wanted` itself where the account can enter it, else its recorded stand-in."""
    wanted.mkdir(parents=True, exist_ok=True)
    if account is None or account.can_enter(wanted):
        return wanted
    note = wanted / _NOTE
    if note.exists() and (recorded := Path(note.read_text().strip())).is_dir():
        return recorded
    stand_in = Path(tempfile.mkdtemp(prefix="ingester-services-"))
    stand_in.chmod(0o755)
    if not account.can_enter(stand_in):
        stand_in.rmdir()
        raise NoServices(f"The account {account.name} can enter neither {wanted} nor {stand_in}.")
    note.write_text(f"{stand_in}\n")
    return stand_in


def forget(wanted: Path) -> None:
    """Remove a directory and, where there is one, its stand-in."""
    note = wanted / _NOTE
    if note.exists():
        shutil.rmtree(note.read_text().strip(), ignore_errors=True)
    shutil.rmtree(wanted, ignore_errors=True)
