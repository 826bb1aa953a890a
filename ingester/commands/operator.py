"""Who acts, why, and whether they mean it: what every command that changes something asks."""

import getpass
import os
import socket
from typing import Annotated

import typer

from ingester.errors import UsageError

Yes = Annotated[bool, typer.Option("--yes", help="Do it; without it only tell what would be done.")]
Why = Annotated[
    str | None,
    typer.Option("--why", metavar="TEXT", help="Your reason, for the audit; needed with --yes."),
]


def operator() -> str:
    """The account and the machine, as the audit names them."""
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        account = str(os.getuid())
    return f"{account}@{socket.gethostname()}"


def reason(why: str | None) -> str:
    """The reason, which must be there."""
    if why is None or not why.strip():
        raise UsageError("--yes needs --why: the audit keeps who did it, when, and why")
    return why.strip()
