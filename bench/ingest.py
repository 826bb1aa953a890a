r"""`python -m bench.ingest`: events of a full topic to committed rows, against `psql \copy`.

One worker, two workers, psql with a text and with a binary file of the same rows take turns
(A B A B …) on the same server, each into a fresh migrated database with the same partitioned table,
the same indexes and the same leaves, made beforehand. Twice: with events of the required fields
only, and with the realistic mix of `ingester simulate` (optional fields, several spellings,
CloudEvents). One more side is what one writes first: json.loads and executemany (`peers.naive`).
"""

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import contest, psql, report
from bench.conditions import conditions, contents
from bench.contest import Contender
from bench.peers.side import peer
from bench.servers import Servers, forget_group, servers, topic_of_our_own, unique_name
from bench.traffic import Traffic, publish, publish_plain
from bench.worker import run_worker

SECONDS_ARE = {
    "worker": "from the log's first partitions_started to its last committed, that is, from the "
    "start of consuming to the answer to the last COMMIT (whole process: from start to exit)",
    "two workers": "what all records take at the rate at which both consume: from the log's last "
    "partitions_started until one of them has written its last batch",
    "psql": "the COPY with its COMMIT, as \\timing tells it",
    "naive": "from its first row that can be seen to its last",
}
_QUICK = (100_000, 3)
_TWO_WORKERS_TIMES = 3
"""Two need some seconds until both consume: they read a topic that is so much longer."""
_NAIVE_SHARE = 10
"""It is slow: a tenth of the events tells its rate."""


def main(
    *,
    events: Annotated[int, typer.Option(min=1000, help="Events of the topic.")] = 500_000,
    repeat: Annotated[int, typer.Option(min=1, help="Runs of each side.")] = 5,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="100,000 events, 3 runs: to try the bench, not to quote."),
    ] = False,
) -> None:
    """One and two workers against psql's copy of the same rows, side by side."""
    if quick:
        events, repeat = _QUICK
    psql.find_psql()
    where = servers()
    group = unique_name("group")
    with contextlib.ExitStack() as stack:
        stack.callback(forget_group, where.bootstrap, group)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def topic() -> str:
            return stack.enter_context(topic_of_our_own(where.bootstrap))

        report.say(f"publishing {events:,} events and three times as many, twice")
        plain, plain_for_two = (
            publish_plain(where.bootstrap, topic(), events=events * times)
            for times in (1, _TWO_WORKERS_TIMES)
        )
        mix, mix_for_two = (
            publish(where.bootstrap, topic(), events=events * times, duplicates=0.0)
            for times in (1, _TWO_WORKERS_TIMES)
        )
        few = publish_plain(where.bootstrap, topic(), events=events // _NAIVE_SHARE)
        found, tables = _dump(where, plain, group, folder / "plain")
        _dump(where, mix, group, folder / "mix")
        plain_sides = _sides(
            "required fields only", where, (plain, plain_for_two), group, folder / "plain"
        )
        sides = plain_sides + _sides(
            "realistic mix", where, (mix, mix_for_two), group, folder / "mix"
        )
        sides.append(
            peer(
                "naive executemany, required fields only",
                where,
                few,
                lambda _database, _group: (sys.executable, "-m", "bench.peers.naive"),
                plain_sides[0],
            )
        )
        contest.compete(sides, where, repeat)
    found["versions"]["psql"] = psql.version()
    contest.show(f"{events:,} events", sides)
    about = {"tables": tables, "published": mix.published, "seconds_are": SECONDS_ARE}
    report.write("ingest", found, about | contest.results(sides))


def _sides(
    what: str, where: Servers, traffics: tuple[Traffic, Traffic], group: str, files: Path
) -> list[Contender]:
    """Copying by psql as text, which is the yardstick, and as binary; one worker and two."""
    traffic = traffics[0]
    text, binary = (
        Contender(
            f"psql copy {form}, {what}",
            traffic.records,
            traffic.months,
            traffic.records,
            lambda database, form=form: psql.load(  # type: ignore[misc]
                database.url, files.with_suffix(f".{form}"), form
            ),
        )
        for form in ("text", "binary")
    )
    binary.yardstick = text
    one, two = (
        contest.ingester(f"{title}, {what}", where, topic, group, workers=workers, yardstick=text)
        for workers, (title, topic) in enumerate(
            zip(("worker", "two workers"), traffics, strict=True), 1
        )
    )
    return [text, one, two, binary]


def _dump(
    where: Servers, traffic: Traffic, group: str, files: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Warm everything up, dump the rows for psql, and note the conditions; nothing is timed."""
    with contest.fresh(where, traffic.months) as database:
        found = conditions(database, where.bootstrap)
        run_worker(database.url, where.bootstrap, traffic.topic, group)
        for form in ("text", "binary"):
            database.dump(files.with_suffix(f".{form}"), form)
        return found, contents(database)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
