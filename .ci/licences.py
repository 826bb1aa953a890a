"""Prints the licence of each shipped dependency; exit 3 where one is not on the list.

The list holds licences that ask nothing more of a user than to name the authors, and the LGPL, kept
by not changing psycopg and by loading it as the library it is.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ACCEPTED = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL[- ]2\.0|Mozilla|Unlicense|LGPL|Lesser",
    re.IGNORECASE,
)


def licence(name: str) -> str:
    """As the package declares it: the expression, else its classifiers, else the free text."""
    about = metadata(name)
    classifiers = [
        value.rpartition(" :: ")[2]
        for value in about.get_all("Classifier") or ()
        if value.startswith("License :: ")
    ]
    text = about.get("License-Expression") or ", ".join(classifiers) or about.get("License") or ""
    return text.strip().partition("\n")[0]


def main(requirements: Path) -> int:
    """Look at every name in a requirements file that is installed here."""
    refused = 0
    names = re.findall(r"^([A-Za-z0-9._-]+)==", requirements.read_text("utf-8"), re.MULTILINE)
    for name in names:
        try:
            found = licence(name)
        except PackageNotFoundError:
            found = "not installed on this platform"
        else:
            refused += not ACCEPTED.search(found)
        mark = "" if ACCEPTED.search(found) or "not installed" in found else "  NOT ACCEPTED"
        sys.stdout.write(f"{name:28} {found}{mark}\n")
    return 3 if refused else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
