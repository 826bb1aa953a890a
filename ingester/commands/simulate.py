"""`ingester simulate`: publishes realistic campaign traffic and says what must become of it.

The traffic comes from `ingester.simulation`, which is pure; here are the clock, the pace, Kafka,
the signals and the terminal. Results go to standard output, progress to standard error and only
where somebody watches.
"""

import json
import secrets
import shlex
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ingester.commands.interruption import Interruption
from ingester.errors import UsageError
from ingester.event import parse_rfc3339
from ingester.kafka import Publisher
from ingester.logs import set_up_logs
from ingester.settings import Settings, load_settings
from ingester.simulation.event import rfc3339
from ingester.simulation.plan import CONFLICTING_SHARE, DAY_US, Plan
from ingester.simulation.stream import SimulatedRecord, records
from ingester.simulation.tally import Tally

FLUSH_SECONDS_MAX: Final = 60.0
_PROGRESS_SECONDS: Final = 0.1
_NAP_SECONDS_MAX: Final = 0.05
"""A paced run looks for a signal at least this often."""


def simulate(
    events: Annotated[
        int, typer.Option(min=1, help="Records to publish in all, duplicates and invalid ones too.")
    ] = 10_000,
    campaigns: Annotated[int, typer.Option(min=1, help="Campaigns that share them.")] = 100,
    duplicates: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Share of records that repeat an earlier one, soon after or much later; "
            f"{CONFLICTING_SHARE:.0%} of them with another count.",
        ),
    ] = 0.01,
    invalid: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Share of records to be rejected, spread over all reasons but too_large, "
            "which a broker refuses itself.",
        ),
    ] = 0.001,
    days: Annotated[int, typer.Option(min=1, help="Days of history that the events fill.")] = 30,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="RFC3339",
            help="End of that history; default today's midnight UTC, so that "
            "a seed gives the same bytes all day.",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="Records a second, as live traffic: events happen at the moment of publishing, "
            "so their times do not repeat with the seed.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Makes a run repeatable; without one, drawn and printed."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as one JSON object.")
    ] = False,
) -> None:
    """Publish realistic campaign events with a known share of duplicates and invalid records.

    The same seed, numbers and end give the same bytes again, so that
    publishing them twice adds nothing but duplicates. Printed is what must be
    in the database afterwards, where the topic held nothing of it before.
    Ctrl-C stops, prints what was published so far, and exits with 130.
    """
    if rate is not None and until is not None:
        raise typer.BadParameter("with --rate events happen now; leave out --until")
    settings = load_settings()
    set_up_logs(settings)
    plan = Plan(
        records=events,
        duplicate_share=duplicates,
        invalid_share=invalid,
        campaigns=campaigns,
        days=days,
        until_us=_until_us(until),
        seed=secrets.randbits(32) if seed is None else seed,
    )
    if rate is None:
        _check_window(plan, settings)
    tally = Tally()
    started = time.monotonic()
    with Publisher(settings) as publisher, Interruption() as interruption:
        _publish(plan, rate, publisher, interruption, tally)
        publisher.flush(FLUSH_SECONDS_MAX)
    result = {
        **tally.as_json(),
        "interrupted": interruption.signal is not None,
        "seconds": round(time.monotonic() - started, 3),
        "topic": settings.kafka_topic,
        "seed": plan.seed,
        "until": None if rate else rfc3339(plan.until_us),
        "command": _command(plan, rate),
    }
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
    else:
        Console().print(_table(result))
        typer.echo(f"again: {result['command']}")
    if interruption.signal is not None:
        raise typer.Exit(128 + interruption.signal)


def _publish(
    plan: Plan, rate: float | None, publisher: Publisher, interruption: Interruption, tally: Tally
) -> None:
    """Publish the plan's records, counting each, until done or interrupted."""
    stream = records(plan) if rate is None else records(plan, clock=_now_us)
    if rate is not None:
        stream = _paced(stream, rate, interruption)
    console = Console(stderr=True)
    columns = (
        TextColumn("publishing"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with ExitStack() as stack:
        progress = None
        if console.is_terminal:
            progress = stack.enter_context(Progress(*columns, console=console, transient=True))
            task = progress.add_task("", total=plan.records)
        shown = 0.0
        for record in stream:
            if interruption.signal is not None:
                return
            publisher.publish(record.key, record.value, record.headers)
            tally.add(record)
            if progress is not None and time.monotonic() - shown > _PROGRESS_SECONDS:
                shown = time.monotonic()
                progress.update(task, completed=tally.published)


def _paced(
    stream: Iterator[SimulatedRecord], rate: float, interruption: Interruption
) -> Iterator[SimulatedRecord]:
    """Ask for each record when its time has come, `rate` a second from now on, until interrupted.

    A late one does not delay those after it, so the rate holds on average.
    """
    started = time.monotonic()
    number = 0
    while interruption.signal is None:
        ahead_seconds = started + number / rate - time.monotonic()
        if ahead_seconds > 0:
            time.sleep(min(ahead_seconds, _NAP_SECONDS_MAX))
            continue
        record = next(stream, None)
        if record is None:
            return
        yield record
        number += 1


def _now_us() -> int:
    return time.time_ns() // 1000


def _until_us(text: str | None) -> int:
    """Read the end of the history; without one, the last midnight in UTC."""
    if text is None:
        now_us = _now_us()
        return now_us - now_us % DAY_US
    try:
        return (parse_rfc3339(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    except ValueError as error:
        raise typer.BadParameter(f"--until {error}") from None


def _check_window(plan: Plan, settings: Settings) -> None:
    """Refuse times that the ingester would reject, since the numbers printed would be wrong."""
    now = datetime.now(UTC)
    first = (now - settings.window_back).timestamp() * 1e6
    last = (now + settings.window_ahead).timestamp() * 1e6
    if plan.from_us < first or plan.until_us > last:
        raise UsageError(
            f"events from {rfc3339(plan.from_us)} to {rfc3339(plan.until_us)} would be rejected: "
            f"accepted are {settings.ingester_window_days_back} days back and "
            f"{settings.ingester_window_days_ahead} ahead"
        )


def _command(plan: Plan, rate: float | None) -> str:
    """Spell out the call that publishes the same again, with every default."""
    options = {
        "events": plan.records,
        "campaigns": plan.campaigns,
        "duplicates": plan.duplicate_share,
        "invalid": plan.invalid_share,
        "days": plan.days,
        "seed": plan.seed,
        **({"until": rfc3339(plan.until_us)} if rate is None else {"rate": rate}),
    }
    return "ingester simulate " + shlex.join(
        word for name, value in options.items() for word in (f"--{name}", str(value))
    )


def _table(result: dict[str, Any]) -> Table:
    """Lay out a result: records by outcome, rejects by reason, events by metric, and whence."""
    table = Table("published to", result["topic"], title_justify="left")
    table.columns[1].justify = "right"

    def section(rows: dict[str, object]) -> None:
        for name, value in rows.items():
            table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
        table.add_section()

    section(
        {
            "records" + (" (interrupted)" if result["interrupted"] else ""): result["published"],
            "  unique valid events": result["unique"],
            "  duplicates": result["duplicates"],
            "    of which conflicting": result["conflicting"],
            "  to be rejected": result["rejected"],
        }
    )
    section({f"rejected, {reason}": n for reason, n in result["rejected_by_reason"].items()})
    section({f"sum of {metric}": total for metric, total in result["totals"].items()})
    section(
        {
            "campaigns": result["campaigns"],
            "first occurred_at": result["first_occurred_at"],
            "last occurred_at": result["last_occurred_at"],
            "seed": str(result["seed"]),
            "end of history": result["until"] or "live",
            "seconds": result["seconds"],
        }
    )
    return table
