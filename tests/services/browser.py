"""Chromium for the tests of the dashboard: where it is, and installing it where that is ours to do.

Only `make` installs (Debian, as root, said aloud); the tests merely look.
"""

import os
import shutil
import sys

from tests.services.toolchain import apt_get

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_VARIABLE = "CHROMIUM"


def chromium() -> str | None:
    """The one that CHROMIUM names, else the first on the PATH."""
    given = os.environ.get(_VARIABLE)
    return given or next(filter(None, map(shutil.which, _NAMES)), None)


def install_missing() -> None:
    """Install it with apt-get where that is possible; otherwise do nothing."""
    if chromium() or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print("Missing: Chromium. Installing with apt-get.", file=sys.stderr, flush=True)
    apt_get("update")
    apt_get("install", "--yes", "--no-install-recommends", "chromium")
