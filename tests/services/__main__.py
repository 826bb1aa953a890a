"""`python -m tests.services up | down | clean | tools`: behind make up, make down, make clean.

`up` may be called any number of times: what runs already is left alone. `tools` installs Java and
Maven where they are needed, missing, and ours to install.
"""

import argparse
import sys

from tests.services import standing
from tests.services.errors import ServiceError

_COMMANDS = {
    "up": ("start Kafka and PostgreSQL, write .local/env", standing.up),
    "down": ("stop exactly what up started", standing.down),
    "clean": ("stop, and remove everything under .local", standing.clean),
    "tools": ("install Java and Maven where they are needed and missing", standing.install_tools),
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
