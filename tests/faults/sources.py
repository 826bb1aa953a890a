"""What is tried: the product's own files. Figures stand for as long as none of them has changed."""

import hashlib
import subprocess
from pathlib import Path
from typing import Final

_CHECKOUT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("ingester", "replay", "sql")


def commit_under_test() -> str:
    """The commit that is tried; `+` where what is tried differs from it."""
    changed = subprocess.run(
        ["git", "-C", str(_CHECKOUT), "diff", "--quiet", "HEAD", "--", *FOLDERS], check=False
    ).returncode
    return _git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


def sources_under_test() -> str:
    """A hash of the folders that are tried, as they lie here; the same for any commit with them."""
    digest = hashlib.sha256()
    for name in _git("ls-files", "--", *FOLDERS).splitlines():
        path = _CHECKOUT / name
        digest.update(f"{name}\0".encode() + (path.read_bytes() if path.exists() else b""))
    return digest.hexdigest()[:12]


def _git(*arguments: str) -> str:
    told = subprocess.run(
        ["git", "-C", str(_CHECKOUT), *arguments], capture_output=True, text=True, check=False
    )
    return told.stdout.strip()
