"""`replay drop-legacy`."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from ingester.commands.terminal import terminal
from ingester.settings import load_settings
from ingester.store.connection import connect
from replay.commands.cutover import SECONDS_MAX
from replay.settings import load_replay_settings
from replay.store.dropping import drop, look


def drop_legacy(
    yes: Annotated[
        bool, typer.Option("--yes", help="Drop it; without this only say what would happen.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Drop the old table, some days after the cutover (REPLAY_WAITING_DAYS). No way back.

    Refused (exit 78) before the cutover, within the waiting period, and where
    something still depends on the table.
    """
    settings = load_settings()
    replay_settings = load_replay_settings()
    with connect(settings, "replay-drop-legacy", statement_seconds_max=SECONDS_MAX) as connection:
        found = look(connection, replay_settings, datetime.now(UTC))
        if yes:
            drop(connection, replay_settings, found)
    if as_json:
        typer.echo(json.dumps({"done": yes, **found.report()}, default=str))
        return
    console = terminal()
    size = f"{found.bytes / 2**20:,.0f} MiB"
    if yes:
        console.print(f"{found.table} is dropped: {size} freed")
    else:
        console.print(f"{found.table} would be dropped: {size}. To do it: replay drop-legacy --yes")
