"""`replay run`."""

import contextlib
import json
import time
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer

from ingester.commands.dates import parse_date
from ingester.commands.interruption import Interruption
from ingester.commands.terminal import plain_table, terminal
from ingester.kafka import Admin, Publisher, Reader, TopicIdentity
from ingester.logs import set_up_logs
from ingester.settings import Settings, load_settings
from ingester.store.connection import Connection, connect, translating
from replay.commands.progress import progress
from replay.lag import LagGate, bounds
from replay.legacy import LegacyTable
from replay.run import Interrupted, Replay, begin
from replay.settings import ReplaySettings, load_replay_settings
from replay.store import ledger
from replay.store.audit import record
from replay.store.legacy import find_legacy

_STATEMENT_SECONDS_MAX = 3600.0


def run(
    until: Annotated[
        date | None,
        typer.Option(
            parser=parse_date,
            metavar="DATE",
            help="Replay the days before it; the first run stores it. Default: today in UTC.",
        ),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=1, help="REPLAY_RATE_PER_SECOND for this run.")
    ] = None,
    lag_max: Annotated[
        int | None, typer.Option(min=0, help="REPLAY_LAG_EVENTS_MAX for this run.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Publish the old table as events, once, whatever interrupts it and however often it runs.

    Ctrl-C stops and gives the open range back; run it again to go on.
    """
    settings = load_settings()
    set_up_logs(settings, process="replay")
    replay_settings = load_replay_settings(
        replay_rate_per_second=rate, replay_lag_events_max=lag_max
    )
    identity = Admin(settings).identity(settings.kafka_topic)
    started = time.monotonic()
    with connect(settings, "replay-run", _STATEMENT_SECONDS_MAX) as connection:
        table = find_legacy(connection, replay_settings)
        today = datetime.now(UTC).date()
        state = begin(
            connection, table, settings, replay_settings, identity, until=until, today=today
        )
        open_before = not ledger.totals(connection).complete
        if open_before:
            _audit(connection, "run-begun", {"topic": state.topic, "cut_date": state.cut_date})
        with Interruption() as interruption:
            done = _replay(connection, table, settings, replay_settings, identity, interruption)
        totals = ledger.totals(connection)
        report = {
            "table": table.name,
            "topic": state.topic,
            "cut_date": state.cut_date,
            "interrupted": interruption.signal is not None,
            "complete": totals.complete,
            "this_run": {**done, "seconds": round(time.monotonic() - started, 1)},
            "ranges": totals.ranges,
            "ranges_acknowledged": totals.ranges_acknowledged,
            "planned_rows": totals.planned_rows,
            "planned_events": totals.planned_events,
            "rows": totals.rows,
            "events": totals.events,
            "sums": totals.sums,
            "acknowledged_to": ledger.watermarks(connection),
        }
        if open_before:
            _audit(connection, "run-ended", report)
    if as_json:
        typer.echo(json.dumps(report, default=str))
    else:
        _show(report)
    if interruption.signal is not None:
        raise typer.Exit(128 + interruption.signal)


def _audit(connection: Connection, step: str, evidence: dict[str, Any]) -> None:
    """Write a run that has something to do into the audit; a killed one never ends there."""
    with translating("auditing the run"), connection.transaction():
        record(connection, step, evidence)


def _replay(
    connection: Connection,
    table: LegacyTable,
    settings: Settings,
    replay_settings: ReplaySettings,
    identity: TopicIdentity,
    interruption: Interruption,
) -> dict[str, float]:
    """Run to the end or to the first signal; returns what this run did."""
    reader = Reader(settings)
    gate = LagGate(
        lambda: ledger.ingested_to(connection, settings.kafka_topic),
        lambda: bounds(reader, identity.partitions),
        replay_settings.replay_lag_events_max,
        replay_settings.replay_stall_seconds_max,
        time.monotonic,
        time.sleep,
    )
    try:
        with Publisher(settings) as publisher, progress() as show:
            replay = Replay(
                connection,
                table,
                publisher,
                gate,
                replay_settings,
                show=show,
                interrupted=lambda: interruption.signal is not None,
            )
            with contextlib.suppress(Interrupted):
                replay.run()
    finally:
        reader.close()
    done = replay.progress
    return {
        "ranges": done.ranges,
        "rows": done.rows,
        "events": done.events,
        "paused_seconds": round(gate.paused_seconds, 1),
    }


def _show(report: dict[str, Any]) -> None:
    console = terminal()
    done = report["this_run"]
    table = plain_table(f"days before {report['cut_date']} to topic {report['topic']}")
    for name in ("", "this run", "all runs", "planned"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for name in ("ranges", "rows", "events"):
        all_runs = report["ranges_acknowledged" if name == "ranges" else name]
        planned = report["ranges" if name == "ranges" else f"planned_{name}"]
        table.add_row(name, f"{done[name]:,}", f"{all_runs:,}", f"{planned:,}")
    table.add_section()
    for metric, total in report["sums"].items():
        table.add_row(f"sum of {metric}", "", f"{total:,}", "")
    console.print(table)
    rate = done["events"] / done["seconds"] if done["seconds"] else 0.0
    console.print(
        f"{done['seconds']} s, {rate:,.0f} events/s, paused for {done['paused_seconds']} s"
    )
    console.print(
        "complete: every event is on all replicas; next: replay status, then replay verify"
        if report["complete"]
        else "not complete: run it again"
    )
