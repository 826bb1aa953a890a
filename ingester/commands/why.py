"""`ingester why`: the events behind a number, and where each of them came from."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

import typer

from ingester.commands.dates import parse_date
from ingester.commands.terminal import plain_table, safe, terminal
from ingester.repository import (
    EventKey,
    ExplainedEvent,
    Explanation,
    LedgerRange,
    LegacyColumns,
    LegacyEntry,
    Metrics,
    PostgresRepository,
)
from ingester.repository.explanation import DEFAULT_COLUMNS
from ingester.settings import load_settings

CampaignColumn = Annotated[
    str,
    typer.Option(
        envvar="REPLAY_COLUMN_CAMPAIGN_ID", help="How the legacy table calls the campaign id."
    ),
]
DateColumn = Annotated[
    str,
    typer.Option(envvar="REPLAY_COLUMN_STAT_DATE", help="How the legacy table calls the day."),
]


def why(
    campaign: Annotated[str, typer.Argument(help="Campaign id.")],
    day: Annotated[date, typer.Argument(parser=parse_date, metavar="DAY", help="UTC day.")],
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, help="Events shown; totals are of all.")
    ] = 100,
    after: Annotated[
        str | None, typer.Option(metavar="KEY", help="Go on behind this event; see next_after.")
    ] = None,
    campaign_column: CampaignColumn = DEFAULT_COLUMNS.campaign_id,
    date_column: DateColumn = DEFAULT_COLUMNS.stat_date,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Tell every event behind a campaign's day: topic, partition, offsets, time of ingestion.

    Duplicates and rejects are those of the same batches, of whatever campaign. For events of the
    migration the legacy rows are shown, as far as the legacy table is still there.
    """
    key = None if after is None else EventKey.parse(after)
    columns = LegacyColumns(campaign_column, date_column)
    with PostgresRepository.connect(load_settings(), connections_max=1) as repository:
        told = repository.explain(campaign, day, after=key, limit=limit, legacy=columns)
    if as_json:
        typer.echo(json.dumps(as_document(told), default=str))
    else:
        _show(told)


def as_document(told: Explanation) -> dict[str, Any]:
    """An explanation as JSON: events point to their range of the ledger by its batch_id."""
    return {
        **asdict(told),
        "events": [
            {
                "event_id": each.event.event_id,
                "occurred_at": each.event.occurred_at,
                "event_type": each.event.event_type,
                "count": each.event.count,
                "is_replayed": each.event.is_replayed,
                "batch_id": each.source.batch_id,
            }
            for each in told.events
        ],
        "ranges": [asdict(one) for one in told.sources],
        "next_after": told.next_after,
    }


def _show(told: Explanation) -> None:
    console = terminal()

    def say(line: str) -> None:
        console.print(line, soft_wrap=True)

    say(f"{safe(told.campaign_id)} on {told.day}: {_numbers(told.shown)}")
    if told.metrics != told.shown:
        say(f"its events add up to {_numbers(told.metrics)}")
    if told.is_below_floor:
        say("the day lies below the retention floor: events have been dropped, statistics stay")
    if told.events:
        table = plain_table("")
        for name in (
            "occurred (UTC)",
            "event",
            "count",
            r"topic\[partition] offsets",
            "ingested (UTC)",
        ):
            table.add_column(name, justify="right" if name == "count" else "left", no_wrap=True)
        for each in told.events:
            table.add_row(*_cells(each))
        console.print(table)
    totals = told.totals
    say(
        f"{len(told.events):,} of {told.events_total:,} events shown; they came in "
        f"{totals.ranges:,} ranges of the ledger with {totals.records:,} records, among them "
        f"{totals.duplicates:,} duplicates ({totals.conflicting:,} conflicting) and "
        f"{totals.rejected:,} rejects, of any campaign"
    )
    if told.next_after is not None:
        say(f"more: --after {told.next_after}")
    if told.legacy is not None:
        _show_legacy(told.legacy, say)
    say(f"as of {told.as_of:%Y-%m-%d %H:%M:%S} UTC")


def _cells(each: ExplainedEvent) -> tuple[str, ...]:
    event, source = each.event, each.source
    return (
        f"{event.occurred_at:%H:%M:%S.%f}",
        f"{event.event_type}{' (legacy)' if event.is_replayed else ''}",
        f"{event.count:,}",
        _place(source),
        f"{source.ingested_at:%Y-%m-%d %H:%M:%S}",
    )


def _place(source: LedgerRange) -> str:
    if source.topic is None or source.next_offset is None:
        return "written without Kafka"
    return (
        f"{safe(source.topic)}\\[{source.partition}] {source.first_offset}-{source.next_offset - 1}"
    )


def _numbers(metrics: Metrics) -> str:
    named = ((name, getattr(metrics, name)) for name in Metrics.names())
    return ", ".join(f"{name} {value:,}" for name, value in named if value) or "nothing"


def _show_legacy(legacy: LegacyEntry, say: Callable[[str], None]) -> None:
    if legacy.table is None:
        say("legacy row: gone, the legacy table is not here any more")
    elif legacy.problem is not None:
        say(f"legacy row: {safe(legacy.table)} {legacy.problem}")
    elif not legacy.rows:
        say(f"legacy row: gone from {safe(legacy.table)}")
    for row in legacy.rows:
        say(f"legacy row of {safe(legacy.table or '')}: {safe(json.dumps(row, default=str))}")
