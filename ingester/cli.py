"""The command line: every command of `ingester`, and exit codes that mean something.

0 done · 1 unexpected · 2 usage · 3 verification found differences · 75 temporary failure, try
again · 77 not permitted · 78 configuration, topic identity or an offset gap needs a person.
"""

import sys
from importlib.metadata import version

import typer

from ingester.commands import offsets, rejected
from ingester.commands.config import config
from ingester.commands.dashboard import dashboard
from ingester.commands.doctor import doctor
from ingester.commands.migrate import migrate
from ingester.commands.refresh import refresh
from ingester.commands.run import run
from ingester.commands.schema import schema
from ingester.commands.simulate import simulate
from ingester.commands.stats import stats
from ingester.commands.status import status
from ingester.commands.terminal import report
from ingester.commands.verify import verify
from ingester.commands.why import why
from ingester.errors import IngesterError
from ingester.logs import keep_off_results

app = typer.Typer(
    name="ingester",
    help="Campaign events from Kafka to PostgreSQL, exactly once, and the statistics from them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings come from flags, the environment or .env; see docs/operations.md.",
)
COMMANDS = (
    *(migrate, run, refresh, status, stats, why, dashboard),
    *(verify, simulate, schema, doctor, config),
)
for command in COMMANDS:
    app.command()(command)
for group in (offsets.app, rejected.app):
    app.add_typer(group)


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
    keep_off_results()
    try:
        app()
    except IngesterError as error:
        report(error)
        sys.exit(error.exit_code)
