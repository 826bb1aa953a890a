"""`python -m tests.services up | down | clean | tools`: behind make up, make down, make clean.

`up` may be called any number of times: what runs already is left alone. `tools` installs what the
tests need where it is missing and ours to install: Java and Maven, Chromium.
"""

import argparse
import sys

from tests.services import browser, standing
from tests.services.errors import ServiceError


def _tools() -> None:
    standing.install_tools()
    browser.install_missing()


_COMMANDS = {
    "up": ("start Kafka and PostgreSQL, write .local/env", standing.up),
    "down": ("stop exactly what up started", standing.down),
    "clean": ("stop, and remove everything under .local", standing.clean),
    "tools": ("install Java, Maven and Chromium where they are needed and missing", _tools),
}


def main() -> int:
    """Returns the exit code of DESIGN.md."""
    parser = argparse.ArgumentParser(prog="python -m tests.services", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (what, _) in _COMMANDS.items():
        commands.add_parser(name, help=what)
    _, run = _COMMANDS[parser.parse_args().command]
    try:
        run()
    except ServiceError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


sys.exit(main())
