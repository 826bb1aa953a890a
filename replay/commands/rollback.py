"""`replay rollback`."""

import json
from typing import Annotated

import typer

from ingester.commands.terminal import terminal
from ingester.errors import NeedsAPerson
from ingester.settings import load_settings
from ingester.store.connection import connect
from replay.commands.cutover import SECONDS_MAX, describe, show_swap
from replay.settings import load_replay_settings
from replay.store.cutover import Cutover
from replay.store.standing import SUFFIX, Standing, standing


def rollback(
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without this only say what would happen.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Give the old table its name back, with the days since the cutover brought into it."""
    settings = load_settings()
    replay_settings = load_replay_settings()
    name = replay_settings.replay_legacy_table
    done = None
    with connect(settings, "replay-rollback", statement_seconds_max=SECONDS_MAX) as connection:
        found = standing(connection, replay_settings)
        if found is not Standing.VIEW:
            raise NeedsAPerson(f"{name} is {found.value}: there is nothing to roll back")
        if yes:
            done = Cutover(connection, replay_settings, lambda *_: None).roll_back()
    if as_json:
        typer.echo(json.dumps({"done": done is not None, **describe(done)}, default=str))
        return
    console = terminal()
    if done is None:
        console.print(
            f"{name}{SUFFIX} would take the name {name} back, with the statistics of every day "
            "since the cutover. To do it: replay rollback --yes"
        )
        return
    console.print(
        f"{name} is the old table again; of the days from {done.facts['days_from']} on "
        f"{done.facts['inserted']:,} rows were inserted and {done.facts['updated']:,} updated"
    )
    if done.facts["late_events_left_behind"]:
        console.print(
            f"{done.facts['late_events_left_behind']:,} events came late, for days before that: "
            "only the new statistics have them"
        )
    show_swap(console, done)
    console.print("Writers of the old table may write again. Later: replay sync, replay cutover")
