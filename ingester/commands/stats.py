"""`ingester stats`."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from ingester.commands.dates import parse_date
from ingester.commands.terminal import plain_table, safe, terminal
from ingester.errors import UsageError
from ingester.repository.statistics import Granularity, Metrics
from ingester.settings import load_settings
from ingester.store.connection import connect
from ingester.store.reading import campaign_stats

METRICS = Metrics.names()


def stats(
    campaign: Annotated[
        list[str] | None, typer.Option("--campaign", help="Campaign id; repeat it for several.")
    ] = None,
    from_date: Annotated[
        date | None,
        typer.Option("--from", parser=parse_date, metavar="DATE", help="First day (UTC)."),
    ] = None,
    to_date: Annotated[
        date | None,
        typer.Option("--to", parser=parse_date, metavar="DATE", help="Last day (UTC)."),
    ] = None,
    by: Annotated[Granularity, typer.Option(help="Length of a period.")] = Granularity.DAY,
    top: Annotated[
        int | None, typer.Option(min=1, help="Only the campaigns with the most events.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """Statistics per campaign and period; without --campaign of all campaigns, last 30 days."""
    last = to_date or datetime.now(UTC).date()
    first = from_date or last - timedelta(days=29)
    if first > last:
        raise UsageError(f"--from {first} lies after --to {last}")
    with connect(load_settings(), "ingester-stats") as connection:
        rows = campaign_stats(connection, campaign or None, first, last, by.value)
    if top is not None:
        rows = _of_top_campaigns(rows, top)
    if as_json:
        typer.echo(json.dumps(rows, default=str))
        return
    table = plain_table(f"{first} to {last} by {by.value}")
    table.add_column("campaign", overflow="fold", min_width=16)
    table.add_column("period", no_wrap=True)
    for metric in METRICS:
        table.add_column(metric.replace("_replies", ""), justify="right", no_wrap=True)
    for row in rows:
        period = row["period_start"]
        shown = period.strftime("%Y-%m-%d %H:%M" if by is Granularity.HOUR else "%Y-%m-%d")
        table.add_row(safe(row["campaign_id"]), shown, *(f"{row[metric]:,}" for metric in METRICS))
    terminal().print(table)


def _of_top_campaigns(rows: list[dict[str, object]], count: int) -> list[dict[str, object]]:
    totals: dict[object, int] = {}
    for row in rows:
        total = sum(int(str(row[metric])) for metric in METRICS)
        totals[row["campaign_id"]] = totals.get(row["campaign_id"], 0) + total
    best = sorted(totals, key=lambda campaign: (-totals[campaign], str(campaign)))[:count]
    return [row for campaign in best for row in rows if row["campaign_id"] == campaign]
