"""`replay sync`."""

import json
import secrets
from typing import Annotated

import typer

from ingester.commands.terminal import terminal
from ingester.errors import NeedsAPerson
from ingester.kafka import TopicIdentity
from ingester.settings import load_settings
from ingester.store.connection import Connection, connect
from replay.commands.progress import progress as progress_bar
from replay.settings import load_replay_settings
from replay.store.audit import record
from replay.store.locks import in_transaction
from replay.store.readiness import Progress, progress
from replay.store.standing import legacy_table
from replay.sync import Outcome, Sync
from replay.topic import replay_topic

_SECONDS_MAX = 3_600.0


def sync(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Publish what changed in the old table since it was replayed, as correction events.

    Needs `ingester run` at work: it waits until all it published is ingested.
    May be killed and repeated at any time.
    """
    settings = load_settings()
    replay_settings = load_replay_settings()
    with (
        connect(settings, "replay-sync", statement_seconds_max=_SECONDS_MAX) as connection,
        replay_topic(settings) as topic,
        progress_bar() as show,
    ):
        known = progress(connection)
        _check_topic(known, topic.identity)
        if known.ranges_open:
            raise NeedsAPerson(f"{known.ranges_open} ranges are not replayed yet. Run: replay run")
        table = legacy_table(connection, replay_settings)
        job = Sync(connection, table, topic, replay_settings.replay_stall_seconds_max, show)
        done = job.run(secrets.randbits(63))
        report = _report(done)
        if done.resumed or done.planned.corrections:
            in_transaction(connection, lambda: _record(connection, report))
    if as_json:
        typer.echo(json.dumps(report))
    else:
        _show(done)


def _record(connection: Connection, report: dict[str, object]) -> None:
    record(connection, "sync", report)


def _check_topic(known: Progress, identity: TopicIdentity) -> None:
    """Corrections belong into the very topic that the replay went to."""
    if (identity.topic_id, identity.cluster_id) != (known.topic_id, known.cluster_id):
        raise NeedsAPerson(
            f"the replay went to topic {known.topic} ({known.topic_id}), the settings name "
            f"{identity.topic_id}: see KAFKA_TOPIC and KAFKA_BOOTSTRAP_SERVERS"
        )


def _report(done: Outcome) -> dict[str, object]:
    return {
        "resumed": done.resumed,
        "corrections": done.planned.corrections,
        "rows_gone": done.planned.rows_gone,
        "deltas": dict(done.planned.deltas),
    }


def _show(done: Outcome) -> None:
    console = terminal()
    if done.resumed:
        console.print(f"{done.resumed:,} corrections of an earlier sync published again")
    if not done.planned.corrections:
        console.print("the replayed events say what the old table says: nothing to correct")
        return
    console.print(
        f"{done.planned.corrections:,} corrections published and ingested; "
        f"{done.planned.rows_gone:,} rows had gone"
    )
    for metric, delta in sorted(done.planned.deltas.items()):
        console.print(f"  {metric:<17}{delta:+,}")
    console.print("Next: replay verify")
