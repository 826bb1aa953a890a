"""`replay generate`."""

import json
import time
from datetime import UTC, date, datetime
from random import Random
from typing import Annotated

import typer

from ingester.commands.dates import parse_date
from ingester.commands.terminal import plain_table, terminal
from ingester.settings import load_settings
from ingester.store.connection import connect
from replay.commands.progress import progress
from replay.generation.figures import Figures
from replay.generation.lives import lives
from replay.generation.values import active_days
from replay.settings import load_replay_settings
from replay.store.generation import Generated, check_ours, write_table

_STATEMENT_SECONDS_MAX = 3600.0
_MIB = 1024 * 1024


def generate(
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same table.")] = 1,
    scale: Annotated[
        float, typer.Option(min=0.001, max=10, help="Share of the legacy system's figures.")
    ] = 1.0,
    until: Annotated[
        date | None,
        typer.Option(
            parser=parse_date, metavar="DATE", help="The table ends the day before; default today."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Make a synthetic legacy table with the exact figures of the legacy system.

    A table that this command made is replaced; any other is left alone.
    """
    name = load_replay_settings().replay_legacy_table
    figures = Figures.scaled(scale)
    started = time.monotonic()
    with (
        connect(load_settings(), "replay-generate", _STATEMENT_SECONDS_MAX) as connection,
        progress() as show,
    ):
        check_ours(connection, name)
        end = until or datetime.now(UTC).date()
        random = Random(seed)
        campaigns = lives(figures, random)
        days = active_days(figures, campaigns, end, random)
        generated = Generated(figures, campaigns, days, end, seed)
        sizes = write_table(connection, name, generated, show)
    report = {
        "table": name,
        "seed": seed,
        "until": end,
        **{field: getattr(figures, field) for field in _SHOWN},
        "clicked": sum(day.clicked for day in days),
        "bounced": 0,
        **sizes,
        "seconds": round(time.monotonic() - started, 1),
    }
    if as_json:
        typer.echo(json.dumps(report, default=str))
        return
    typer.echo(f"{name}: {generated.mark}")
    table = plain_table("")
    table.add_column("figure")
    table.add_column(f"scale {scale:g}", justify="right")
    for field in (*_SHOWN, "clicked", "bounced"):
        table.add_row(field.replace("_", " "), f"{report[field]:,}")
    table.add_row("MiB with nine indexes", f"{sizes['total_bytes'] / _MIB:,.0f}")
    table.add_row("seconds", str(report["seconds"]))
    terminal().print(table)


_SHOWN = (
    *("rows", "zero_rows", "headline_rows", "clicks_only_rows", "headline_values", "campaigns"),
    *("sent", "opened", "replied", "positive_replies"),
)
