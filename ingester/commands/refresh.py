"""`ingester refresh`."""

import json
import signal
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Annotated, Final

import typer

from ingester import dead_letters, maintenance
from ingester.commands.dates import parse_date
from ingester.dead_letters import DeadLetter
from ingester.errors import UsageError
from ingester.kafka import Publisher
from ingester.logs import set_up_logs
from ingester.observing.health import LOOP_SECONDS_MAX, Health
from ingester.observing.meter import ProcessMeter
from ingester.observing.page import Page
from ingester.observing.watch import DatabaseWatch, Watch
from ingester.refresher import Refresher
from ingester.settings import Settings, load_settings
from ingester.store.observing import ObservingStore
from ingester.store.refreshing import RefreshStore

FLUSH_SECONDS_MAX: Final = 8.0
"""Of dead letters: what a signal waits for at most."""


def refresh(
    once: Annotated[
        bool, typer.Option("--once", help="Fold what there is, keep house once, and stop.")
    ] = False,
    interval: Annotated[
        float | None,
        typer.Option(min=0.05, help="Seconds between refreshes; 3600 is the old hourly cadence."),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Recompute the days --from … --to from their events.")
    ] = False,
    from_date: Annotated[
        date | None, typer.Option("--from", parser=parse_date, metavar="DATE")
    ] = None,
    to_date: Annotated[date | None, typer.Option("--to", parser=parse_date, metavar="DATE")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Fold new events into the daily, weekly and monthly statistics; create and drop partitions."""
    if rebuild and (from_date is None or to_date is None):
        raise UsageError("--rebuild needs --from and --to")
    if not rebuild and (from_date or to_date):
        raise UsageError("--from and --to belong to --rebuild")
    settings = load_settings(ingester_refresh_interval_seconds=interval)
    set_up_logs(settings, process="refresher")
    store = RefreshStore(settings)
    stopping = threading.Event()
    forward = _forwarding(settings, store)
    refresher = Refresher(
        settings, store, stopping, time.monotonic, lambda: datetime.now(UTC), forward
    )

    def stop(*_: object) -> None:
        stopping.set()
        store.cancel()

    try:
        if rebuild and from_date and to_date:
            _print(store.rebuild(from_date, to_date), as_json=as_json)
        elif once:
            batches, events = refresher.fold_all()
            maintenance.maintain(store, settings, datetime.now(UTC), forward)
            _print({"batches": batches, "events": events}, as_json=as_json)
        else:
            signal.signal(signal.SIGTERM, stop)
            signal.signal(signal.SIGINT, stop)
            _run(refresher, settings)
    finally:
        store.close()


def _run(refresher: Refresher, settings: Settings) -> None:
    """Run the loop; where a port is set, measured and with a page of its own."""
    interval_seconds = settings.ingester_refresh_interval_seconds
    if settings.ingester_metrics_port is None:
        refresher.run(interval_seconds)
        return
    name = "refresher"
    refresher.meter = meter = ProcessMeter(name)
    database = DatabaseWatch(meter, ObservingStore(settings, name).facts)
    patience = LOOP_SECONDS_MAX + interval_seconds + settings.ingester_statement_seconds_max
    with Page(settings, meter.figures, Health([name], in_group=False, loop_seconds_max=patience)):
        Watch([database.look], refresher.stopping).start()
        refresher.run(interval_seconds)


def _forwarding(settings: Settings, store: RefreshStore) -> Callable[[], int] | None:
    """How rejects reach the dead-letter topic; None where there is none."""
    topic = settings.ingester_dead_letter_topic
    if topic is None:
        return None

    def publish(letters: Sequence[DeadLetter]) -> None:
        with Publisher(settings, topic) as publisher:
            for letter in letters:
                publisher.publish(letter.key, letter.value, letter.marked(settings.kafka_group_id))
            publisher.flush(FLUSH_SECONDS_MAX)

    return lambda: dead_letters.forward(partial(store.dead_letters, settings.kafka_topic), publish)


def _print(done: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(done))
    else:
        typer.echo(", ".join(f"{count:,} {name}" for name, count in done.items()))
