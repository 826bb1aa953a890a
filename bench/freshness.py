"""`python -m bench.freshness`: how long after publishing an event is in `campaign_daily_stats`.

First the maximum: a producer publishes as fast as events are stored, on the cores that it shares
with broker, database, worker and refresher. Then the same at
25, 50 and 80 % of it, and at half with a refresher that folds four times a second. All are
processes, otherwise with their default settings. Markers of a campaign of
its own are published twenty times a second and looked for in the view every hundredth of a second.
"""

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import uuid4

import orjson
import typer

from bench import contest, live, report
from bench.conditions import conditions
from bench.database import Database
from bench.report import Spread
from bench.servers import Servers, forget_group, servers, topic_of_our_own, unique_name
from ingester.kafka import Publisher
from ingester.settings import load_settings

_SHARES: Final = ((0.25, 1.0), (0.5, 1.0), (0.8, 1.0), (0.5, 0.25))
"""Of the maximum, and the refresher's interval in seconds; 1 is the default."""
_QUICK: Final = 4.0
_WARM_UP_SECONDS: Final = 3.0
_MARKER_SECONDS: Final = 0.05
_LOOK_SECONDS: Final = 0.01
_LAST_MARKER_SECONDS_MAX: Final = 60.0
_CAMPAIGN: Final = "freshness-probe"


def main(
    *,
    seconds: Annotated[float, typer.Option(min=1, help="Length of each measurement.")] = 15.0,
    quick: Annotated[
        bool, typer.Option("--quick", help="4 seconds each: to try the bench.")
    ] = False,
) -> None:
    """Produce to visible, at 25, 50 and 80 % of the maximum rate."""
    if quick:
        seconds = _QUICK
    where = servers()
    with contest.fresh(where, ()) as database:
        found = conditions(database, where.bootstrap)
    with _everything(where, 0.0) as (database, _):
        maximum = _stored_rate(database, seconds)
    report.say(f"at most {maximum:,.0f} events a second")
    measured: dict[str, Any] = {}
    for share, interval in _SHARES:
        with _everything(where, share * maximum, interval) as (database, topic):
            latencies, rate = _probe(where, database, topic, seconds)
        measured[f"{share:.0%}, refreshed every {interval:g} s"] = {
            "events_per_second": rate,
            **latencies.latencies(),
        }
    report.table(
        f"seconds from publishing to the view; maximum {maximum:,.0f} events/s",
        ("of the maximum", "events/s", "p50", "p99", "max", "markers"),
        (
            (
                share,
                f"{at['events_per_second']:,.0f}",
                *(f"{at[name]:.2f}" for name in ("p50", "p99", "max")),
                str(at["count"]),
            )
            for share, at in measured.items()
        ),
    )
    report.write("freshness", found, {"maximum_events_per_second": maximum, "shares": measured})


@contextlib.contextmanager
def _everything(
    where: Servers, rate: float, interval: float = 1.0
) -> Iterator[tuple[Database, str]]:
    """Worker, refresher and producer at work on a topic and a database of their own."""
    group = unique_name("group")
    with contextlib.ExitStack() as stack:
        stack.callback(forget_group, where.bootstrap, group)
        topic = stack.enter_context(topic_of_our_own(where.bootstrap))
        database = stack.enter_context(contest.fresh(where, [datetime.now(UTC).date()]))
        variables = live.environment(where, database.url, topic, group)
        stack.enter_context(live.running("ingester", "run", variables=variables))
        stack.enter_context(
            live.running("ingester", "refresh", "--interval", str(interval), variables=variables)
        )
        time.sleep(_WARM_UP_SECONDS)  # the group is joined in the meantime
        stack.enter_context(live.running("bench.producer", str(rate), variables=variables))
        while not database.value("stored_records"):
            time.sleep(_LOOK_SECONDS)
        time.sleep(_WARM_UP_SECONDS)
        yield database, topic


def _stored_rate(database: Database, seconds: float) -> float:
    began, before = time.perf_counter(), database.value("stored_records")
    time.sleep(seconds)
    after = database.value("stored_records")
    return float((after - before) / (time.perf_counter() - began))


def _probe(where: Servers, database: Database, topic: str, seconds: float) -> tuple[Spread, float]:
    """Seconds of each marker, and the rate that was stored meanwhile."""
    settings = load_settings(kafka_bootstrap_servers=where.bootstrap, kafka_topic=topic)
    published: list[float] = []
    latencies: list[float] = []
    before = database.value("stored_records")
    began = time.perf_counter()
    stored_rate = 0.0
    with Publisher(settings) as publisher:
        while time.perf_counter() - began < seconds + _LAST_MARKER_SECONDS_MAX:
            now = time.perf_counter()
            if now - began < seconds:
                if now >= began + len(published) * _MARKER_SECONDS:
                    published.append(now)
                    publisher.publish(_CAMPAIGN.encode(), _marker())
            elif not stored_rate:
                stored_rate = (database.value("stored_records") - before) / (now - began)
            # One key, one partition, one order: those that are visible are the first ones.
            visible = database.value("probe_visible", campaign=_CAMPAIGN)
            seen = time.perf_counter()
            latencies += [seen - at for at in published[len(latencies) : visible]]
            if stored_rate and len(latencies) == len(published):
                return Spread.of(latencies), stored_rate
            time.sleep(_LOOK_SECONDS)
    raise RuntimeError(f"{len(published) - len(latencies)} markers have not arrived")


def _marker() -> bytes:
    return orjson.dumps(
        {
            "event_id": str(uuid4()),
            "campaign_id": _CAMPAIGN,
            "event_type": "sent",
            "occurred_at": datetime.now(UTC).isoformat(),
        }
    )


if __name__ == "__main__":
    typer.run(main)
