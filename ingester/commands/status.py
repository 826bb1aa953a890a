"""`ingester status`."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from ingester.commands.terminal import plain_table, safe, terminal
from ingester.errors import IngesterError
from ingester.kafka import Reader
from ingester.settings import Settings, load_settings
from ingester.standing import COUNTS, standing
from ingester.store.connection import connect
from ingester.store.reading import Row, state


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Offsets, lag, totals, freshness, partitions, storage and rejects."""
    settings = load_settings()
    with connect(settings, "ingester-status") as connection:
        known = state(connection)
    report = standing(
        known, settings.kafka_topic, _ends(settings, known["partitions"]), datetime.now(UTC)
    )
    if as_json:
        typer.echo(json.dumps(report, default=str))
    else:
        _show(report)


def _ends(settings: Settings, partitions: list[Row]) -> dict[int, int]:
    """Where each partition ends in Kafka; empty where Kafka does not answer."""
    ours = [row["partition"] for row in partitions if row["topic"] == settings.kafka_topic]
    if not ours:
        return {}
    reader = Reader(settings)
    try:
        return {partition: reader.watermarks(partition)[1] for partition in ours}
    except IngesterError as error:
        typer.secho(f"lag unknown: {error}", err=True)
        return {}
    finally:
        reader.close()


def _show(report: dict[str, Any]) -> None:
    console = terminal()
    for topic in sorted({row["topic"] for row in report["partitions"]}):
        table = plain_table(safe(topic))
        for name in ("partition", "next offset", "lag", *COUNTS):
            table.add_column(name.replace(" ", "\n"), justify="right", no_wrap=True)
        for row in report["partitions"]:
            if row["topic"] == topic:
                lag = "?" if row["lag"] is None else f"{row['lag']:,}"
                counts = (f"{row[count]:,}" for count in COUNTS)
                table.add_row(str(row["partition"]), f"{row['next_offset']:,}", lag, *counts)
        console.print(table)
    freshness, leaves = report["freshness"], report["leaves"]
    facts = {
        "statistics": f"{freshness['seconds_behind']:.1f} s behind, "
        f"{freshness['unfolded_events']:,} events to fold",
        "last ingest": freshness["last_ingest"],
        "last refresh": freshness["last_refresh"],
        "last failure": f"{freshness['last_failure']}: {freshness['last_error']}"
        if freshness["last_failure"]
        else "none",
        "partitions": f"{leaves['count']} ({leaves['first']} to {leaves['last']}), "
        f"{leaves['months_ahead']} months ahead, gaps: "
        + (", ".join(map(str, leaves["gaps"])) or "none"),
        "retention floor": leaves["floor"] or "none",
        "storage": ", ".join(
            f"{name} {size / 2**20:,.1f} MiB" for name, size in report["storage_bytes"].items()
        ),
        "rejects": ", ".join(
            f"{row['reason_code']} {row['count']:,} ({row['state']})" for row in report["rejects"]
        )
        or "none",
    }
    width = max(map(len, facts))
    for name, fact in facts.items():
        console.print(f"{name:{width}}  {fact}", markup=False, highlight=False)
