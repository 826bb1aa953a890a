"""Tables for people: as wide as their terminal, and wide enough where the output is piped."""

import sys

import typer
from rich import box
from rich.console import Console
from rich.table import Table

_PIPED_COLUMNS = 120
_UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"


def terminal() -> Console:
    """Standard output."""
    return Console(width=None if sys.stdout.isatty() else _PIPED_COLUMNS, highlight=False)


def report(error: Exception) -> None:
    """Say in one line on standard error what went wrong."""
    typer.secho(f"error: {error}", err=True, fg="red" if sys.stderr.isatty() else None)


def plain_table(title: str) -> Table:
    """A table without frame, whose columns stay readable at 80 characters."""
    return Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))


def safe(text: str) -> str:
    """Text from outside as a terminal may show it: no control characters, no markup."""
    shown = "".join(char if char.isprintable() else _UNPRINTABLE for char in text)
    return shown.replace("[", r"\[")
