"""A small file system of its own for a tablespace, filled to the brim and emptied again.

A tmpfs, which only root can mount. The database's other files, its log above all, lie elsewhere: a
full tablespace is an error that passes, a full log is the end of the server.
"""

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Final

from tests.services.origin import Origin, choose_own

_BYTES: Final = 256 * 1024 * 1024
_CHUNK: Final = bytes(4096)


class Filling:
    """Mounted at `directory` while it is needed; `account` owns it where we are root."""

    def __init__(self, directory: Path, owner: tuple[int, int] | None) -> None:
        self.directory = directory
        directory.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_BYTES},mode=0700", "tmpfs", str(directory)]
        subprocess.run(mount, check=True, capture_output=True)
        if owner is not None:
            os.chown(directory, *owner)
        self._ballast = directory / "ballast"

    def fill(self) -> None:
        """Take every byte that is left, while others write too."""
        with self._ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(_CHUNK):
                pass

    def empty(self) -> None:
        """Give it back."""
        self._ballast.unlink(missing_ok=True)

    def end(self) -> None:
        """Unmount; lazily, since a server may still have files open there."""
        subprocess.run(["umount", "--lazy", str(self.directory)], check=False)


def lacking() -> str | None:
    """What is missing for it; None where nothing is."""
    if os.geteuid() != 0:
        return "only root can mount a small file system"
    if choose_own() is Origin.DOCKER:
        return "a server in a container has no file system of ours"
    return None
