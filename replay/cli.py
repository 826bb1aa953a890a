"""The command line of `replay`; a command appears when its work lands."""

from importlib.metadata import version
from typing import Annotated

import typer

app = typer.Typer(
    name="replay",
    help="The migration of the legacy statistics. It has no commands yet.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    typer.echo(version("campaign-event-ingester") if show_version else context.get_help())


def main() -> None:
    """Run a command."""
    app()
