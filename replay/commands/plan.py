"""`replay plan`."""

import json
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer

from ingester.commands.dates import parse_date
from ingester.commands.terminal import plain_table, safe, terminal
from ingester.settings import load_settings
from ingester.store.connection import connect, translating
from replay.cut import cut_of
from replay.expand import METRICS
from replay.plan import BYTES_PER_EVENT, EVENTS_PER_SECOND, Survey
from replay.settings import load_replay_settings
from replay.store.ledger import replay_state
from replay.store.legacy import find_legacy
from replay.store.survey import survey

_STATEMENT_SECONDS_MAX = 3600.0
_MIB = 1024 * 1024


def plan(
    until: Annotated[
        date | None,
        typer.Option(
            parser=parse_date, metavar="DATE", help="Days before it; default today in UTC."
        ),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=1, help="Events a second, for the estimate.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """What a run would publish, how long it takes, and what stands in its way; changes nothing."""
    settings = load_settings()
    replay_settings = load_replay_settings(replay_rate_per_second=rate)
    today = datetime.now(UTC).date()
    with connect(settings, "replay-plan", _STATEMENT_SECONDS_MAX) as connection:
        with translating("reading the ledger"):
            state = replay_state(connection)
        table = find_legacy(connection, replay_settings)
        cut_date = cut_of(until, state.cut_date if state else None, today)
        found = survey(connection, table, settings, cut_date, today)
    report = _report(found, table.name, replay_settings.replay_rate_per_second)
    if as_json:
        typer.echo(json.dumps(report, default=str))
    else:
        _show(report)


def _report(found: Survey, name: str, rate: float | None) -> dict[str, Any]:
    rows = sum(month.rows for month in found.months)
    with_value = sum(month.rows_with_value for month in found.months)
    events = sum(found.events.values())
    return {
        "table": name,
        "cut_date": found.cut_date,
        "rows": rows,
        "zero_rows": rows - with_value,
        "rows_to_replay": sum(month.rows_with_value for month in found.replayed),
        "events": events,
        "events_by_metric": found.events,
        "sums": found.sums,
        "first_month": found.replayed[0].month if found.replayed else None,
        "last_month": found.replayed[-1].month if found.replayed else None,
        "months": len(found.replayed),
        "partitions_to_create": found.leaves_needed,
        "estimated_seconds": round(events / min(rate or EVENTS_PER_SECOND, EVENTS_PER_SECOND), 1),
        "estimated_bytes": round(events * BYTES_PER_EVENT),
        "problems": [
            {
                "kind": problem.kind,
                "rows": problem.rows,
                "examples": list(problem.examples),
                "blocking": problem.blocking,
            }
            for problem in found.problems
        ],
        "blocking": [str(problem) for problem in found.blocking],
        "warnings": found.warnings(),
        "live_events_before_cut": {
            str(day): events for day, events in found.live_before_cut.items()
        },
        "live_in_time": found.live_in_time,
        "ready": not found.blocking,
    }


def _show(report: dict[str, Any]) -> None:
    console = terminal()
    table = plain_table(f"{safe(report['table'])}, days before {report['cut_date']}")
    for name in ("metric", "events", "total"):
        table.add_column(name, justify="left" if name == "metric" else "right", no_wrap=True)
    for metric in METRICS:
        events, total = report["events_by_metric"][metric], report["sums"][metric]
        table.add_row(metric, f"{events:,}", f"{total:,}")
    table.add_section()
    table.add_row("all", f"{report['events']:,}", "")
    console.print(table)
    facts = {
        "rows": f"{report['rows']:,}, of them {report['zero_rows']:,} all zero, "
        f"{report['rows_to_replay']:,} to replay",
        "months": f"{report['months']} ({report['first_month']} to {report['last_month']}), "
        f"partitions to create: {len(report['partitions_to_create'])}",
        "time": f"about {report['estimated_seconds']:,.0f} s",
        "storage": f"about {report['estimated_bytes'] / _MIB:,.0f} MiB for everything new",
    }
    for name, fact in facts.items():
        console.print(f"{name:8} {fact}", markup=False)
    for text in report["warnings"]:
        console.print(f"warning: {text}", markup=False, style="yellow")
    for text in report["blocking"]:
        console.print(f"problem: {text}", markup=False, style="red")
    console.print("ready: replay run" if report["ready"] else "not ready: a run would be refused")
