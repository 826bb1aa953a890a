"""`ingester rejected`: what was not an event, and what becomes of it."""

import base64
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Annotated, Final, cast

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from ingester import quarantine
from ingester.commands.dates import parse_date
from ingester.commands.operator import Why, Yes, operator, reason
from ingester.commands.terminal import plain_table, safe, terminal
from ingester.errors import UsageError
from ingester.kafka import Publisher
from ingester.outcomes import Reason, Window
from ingester.quarantine import Reject, Settled
from ingester.settings import Settings, load_settings
from ingester.store import quarantine as store
from ingester.store.connection import Connection, connect
from ingester.store.quarantine import Outcome, Selection, State
from ingester.store.reading import retention_floor

app = typer.Typer(
    name="rejected",
    help="Records that are not events: list, show, requeue or discard them.",
    no_args_is_help=True,
)
_SHOWN_CHARACTERS: Final = 4_000
FLUSH_SECONDS_MAX: Final = 60.0


class Chosen(StrEnum):
    """States, and all of them."""

    NEW = "new"
    REQUEUED = "requeued"
    DISCARDED = "discarded"
    ALL = "all"


Ids = Annotated[list[int] | None, typer.Option("--id", help="Reject id; repeat it for several.")]
Reasons = Annotated[
    list[Reason] | None, typer.Option("--reason", help="Reason code; repeat it for several.")
]
Since = Annotated[
    date | None,
    typer.Option("--since", parser=parse_date, metavar="DATE", help="Rejected on or after (UTC)."),
]
Until = Annotated[
    date | None,
    typer.Option("--until", parser=parse_date, metavar="DATE", help="Rejected before (UTC)."),
]
OneTopic = Annotated[str | None, typer.Option("--topic", help="Topic; default: KAFKA_TOPIC.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(
    ids: Ids = None,
    reasons: Reasons = None,
    topic: Annotated[str | None, typer.Option("--topic", help="Default: every topic.")] = None,
    since: Since = None,
    until: Until = None,
    state: Annotated[Chosen, typer.Option("--state")] = Chosen.NEW,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The newest so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """The newest rejects, without their bytes."""
    selection = _selection(ids, reasons, topic, since, until, state)
    with connect(load_settings(), "ingester-rejected") as connection:
        found = store.listed(connection, selection, limit)
    if as_json:
        typer.echo(json.dumps(found, default=str))
        return
    table = plain_table("rejected events")
    for name in ("id", "place", "reason", "rejected", "state", "detail"):
        table.add_column(name, no_wrap=name != "detail", overflow="fold")
    for row in found:
        place = f"{row['topic']}[{row['partition']}]@{row['offset']}"
        times = f" ({row['attempts']})" if row["attempts"] else ""
        table.add_row(
            str(row["reject_id"]), safe(place), row["reason_code"],
            f"{row['rejected_at']:%Y-%m-%d %H:%M}", row["state"] + times, safe(row["detail"]),
        )  # fmt: skip
    terminal().print(table)


@app.command()
def show(
    reject_id: Annotated[int, typer.Argument(help="As `rejected list` prints it.")],
    raw: Annotated[bool, typer.Option("--raw", help="Only the value, byte by byte.")] = False,
    as_json: AsJson = False,
) -> None:
    """One reject with its key, its headers and its value."""
    with connect(load_settings(), "ingester-rejected") as connection:
        row = store.shown(connection, reject_id)
    if row is None:
        raise UsageError(f"there is no reject {reject_id}")
    if raw:
        sys.stdout.buffer.write(row["value"] or b"")
        return
    if as_json:
        typer.echo(json.dumps(row, default=_encoded))
        return
    console = terminal()
    width = max(map(len, row))
    for name, fact in row.items():
        shown = fact.decode("utf-8", "replace") if isinstance(fact, bytes) else str(fact)
        cut = " …" if len(shown) > _SHOWN_CHARACTERS else ""
        console.print(f"{name:{width}}  {safe(shown[:_SHOWN_CHARACTERS])}{cut}", highlight=False)


@app.command()
def requeue(
    ids: Ids = None,
    reasons: Reasons = None,
    topic: OneTopic = None,
    since: Since = None,
    until: Until = None,
    state: Annotated[
        Chosen, typer.Option("--state", help="`requeued` publishes again what was published.")
    ] = Chosen.NEW,
    why: Why = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Publish rejects to the topic again, as far as they are valid events by now.

    They keep their key and their headers. A crash in the middle may publish
    some a second time; they then count as duplicates, since an event keeps
    its identity.
    """
    because = reason(why) if yes else ""
    settings = load_settings(kafka_topic=topic)
    selection = _selection(ids, reasons, settings.kafka_topic, since, until, state)
    with _settling(settings, selection) as (connection, take, progress):
        window = _window(settings, connection)
        if not yes:
            settled = quarantine.requeue(take, window, None, _nothing, progress)
        else:
            with Publisher(settings) as publisher:
                settled = quarantine.requeue(
                    take,
                    window,
                    lambda rejects: _publish(publisher, rejects),
                    _marking(connection, "requeued", selection, because),
                    progress,
                )
    _print("requeued", settled, yes=yes, as_json=as_json)


@app.command()
def discard(
    ids: Ids = None,
    reasons: Reasons = None,
    topic: OneTopic = None,
    since: Since = None,
    until: Until = None,
    why: Why = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Mark rejects as settled without publishing them; their rows and bytes stay."""
    because = reason(why) if yes else ""
    settings = load_settings(kafka_topic=topic)
    selection = _selection(ids, reasons, settings.kafka_topic, since, until, Chosen.NEW)
    with _settling(settings, selection) as (connection, take, progress):
        mark = _marking(connection, "discarded", selection, because) if yes else None
        settled = quarantine.discard(take, mark, progress)
    _print("discarded", settled, yes=yes, as_json=as_json)


def _selection(
    ids: list[int] | None,
    reasons: list[Reason] | None,
    topic: str | None,
    since: date | None,
    until: date | None,
    state: Chosen,
) -> Selection:
    kept = None if state is Chosen.ALL else cast("State", state.value)
    return Selection(
        ids or None,
        [str(each) for each in reasons] if reasons else None,
        topic,
        _midnight(since),
        _midnight(until),
        kept,
    )


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)


@contextmanager
def _settling(
    settings: Settings, selection: Selection
) -> Iterator[tuple[Connection, quarantine.Take, Callable[[int], None]]]:
    # What is refused once more while this runs is not taken again.
    now = datetime.now(UTC)
    selection = replace(selection, until=min(selection.until or now, now))
    columns = (SpinnerColumn(), TextColumn("rejects"), MofNCompleteColumn())
    with (
        connect(settings, "ingester-rejected") as connection,
        Progress(*columns, console=Console(stderr=True), transient=True) as bar,
    ):
        task = bar.add_task("", total=None)
        yield (
            connection,
            lambda after, rows_max: store.taken(connection, selection, after, rows_max),
            lambda count: bar.advance(task, count),
        )


def _window(settings: Settings, connection: Connection) -> Window:
    floor = retention_floor(connection)
    return Window.around(datetime.now(UTC), settings.window_back, settings.window_ahead, floor)


def _publish(publisher: Publisher, rejects: Sequence[Reject]) -> None:
    for each in rejects:
        publisher.publish(each.key, each.value, each.headers)
    publisher.flush(FLUSH_SECONDS_MAX)


def _marking(
    connection: Connection, state: Outcome, selection: Selection, why: str
) -> Callable[[Sequence[int]], None]:
    return lambda ids: store.settle(connection, state, selection.topic, ids, why, operator())


def _nothing(_: Sequence[int]) -> None:
    pass


def _print(what: str, settled: Settled, *, yes: bool, as_json: bool) -> None:
    if as_json:
        facts = {"done": yes, what: settled.settled, "still_refused": dict(settled.refused)}
        typer.echo(json.dumps(facts))
        return
    typer.echo(f"{'' if yes else 'would be '}{what}: {settled.settled:,}")
    for code, count in settled.refused.most_common():
        typer.echo(f"still refused, {code}: {count:,}")
    if not yes and settled.settled:
        typer.echo('nothing was changed; to do it, add: --yes --why "…"')


def _encoded(fact: object) -> str:
    return base64.b64encode(fact).decode() if isinstance(fact, bytes) else str(fact)
