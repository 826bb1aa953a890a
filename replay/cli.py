"""The command line of `replay`: every command of the migration and exit codes of `ingester`."""

import sys
from importlib.metadata import version

import typer

from ingester.commands.terminal import report
from ingester.errors import IngesterError
from replay.commands.cutover import cutover
from replay.commands.drop_legacy import drop_legacy
from replay.commands.generate import generate
from replay.commands.plan import plan
from replay.commands.rollback import rollback
from replay.commands.run import run
from replay.commands.status import status
from replay.commands.sync import sync
from replay.commands.verify import verify

app = typer.Typer(
    name="replay",
    help="The migration of the legacy statistics: planned, resumable, proven, reversible.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings come from flags, the environment or .env; see docs/operations.md.",
)
for command in (
    *(generate, plan, run, status, verify, sync),
    *(cutover, rollback, drop_legacy),
):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
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
