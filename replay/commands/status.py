"""`replay status`."""

import json
from typing import Annotated, Any

import typer

from ingester.commands.terminal import plain_table, terminal
from ingester.settings import load_settings
from ingester.store.connection import connect, translating
from replay.store import ledger


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """How far the replay has come: ranges, events, and what of them is ingested."""
    settings = load_settings()
    with connect(settings, "replay-status") as connection, translating("reading the ledger"):
        state = ledger.replay_state(connection)
        totals = ledger.totals(connection)
        watermarks = ledger.watermarks(connection)
        ingested = ledger.ingested_to(connection, state.topic) if state else {}
    report: dict[str, Any] = {
        "started_at": state and state.started_at,
        "cut_date": state and state.cut_date,
        "topic": state and state.topic,
        "ranges": totals.ranges,
        "ranges_acknowledged": totals.ranges_acknowledged,
        "complete": state is not None and totals.complete,
        "planned_rows": totals.planned_rows,
        "planned_events": totals.planned_events,
        "rows": totals.rows,
        "events": totals.events,
        "sums": totals.sums,
        "partitions": [
            {"partition": part, "acknowledged_to": end, "ingested_to": ingested.get(part, 0)}
            for part, end in watermarks.items()
        ],
        "ingested": all(ingested.get(part, 0) >= end for part, end in watermarks.items()),
    }
    if as_json:
        typer.echo(json.dumps(report, default=str))
    else:
        _show(report)


def _show(report: dict[str, Any]) -> None:
    console = terminal()
    if report["started_at"] is None:
        console.print("The replay has not begun; see: replay plan")
        return
    table = plain_table(f"replay of the days before {report['cut_date']} to {report['topic']}")
    for name in ("", "planned", "acknowledged"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    table.add_row("ranges", f"{report['ranges']:,}", f"{report['ranges_acknowledged']:,}")
    table.add_row("rows with a value", f"{report['planned_rows']:,}", f"{report['rows']:,}")
    table.add_row("events", f"{report['planned_events']:,}", f"{report['events']:,}")
    for metric, total in report["sums"].items():
        table.add_row(metric, "", f"{total:,}")
    console.print(table)
    console.print("replay " + ("complete" if report["complete"] else "under way or interrupted"))
    console.print("ingested " + ("to its end" if report["ingested"] else "in part, see --json"))
