"""The command line of `replay`: every command of the migration and exit codes of `ingester`."""

import sys
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from ingester.commands.terminal import report
from ingester.errors import IngesterError

COMMANDS: Final = (
    *("generate", "plan", "run", "status", "verify", "sync"),
    *("cutover", "rollback", "drop-legacy"),
)
"""Each is the function of its name in the module of its name."""


class _Commands(TyperGroup):
    """Imports a command when it is called: all of them take as long as a short one runs."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - typer's own click
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002 - likewise
        if cmd_name not in COMMANDS:
            return None
        word = cmd_name.replace("-", "_")
        alone = typer.Typer(add_completion=False)
        alone.command(cmd_name)(getattr(import_module(f"replay.commands.{word}"), word))
        return get_command(alone)


app = typer.Typer(
    name="replay",
    cls=_Commands,
    help="The migration of the legacy statistics: planned, resumable, proven, reversible.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings come from flags, the environment or .env; see docs/operations.md.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - seldom wanted, slow to load

        typer.echo(version("campaign-event-ingester"))
        raise typer.Exit


@app.callback()
def _options(
    _: bool = typer.Option(
        False, "--version", help="Print the version.", callback=_print_version, is_eager=True
    ),
) -> None:
    pass


def main() -> None:
    """Run a command; an error of ours is one line on standard error and its exit code."""
    try:
        app()
    except IngesterError as error:
        report(error)
        sys.exit(error.exit_code)
