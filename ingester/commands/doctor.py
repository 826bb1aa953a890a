"""`ingester doctor`: looks at everything that a process needs and says what to do."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from ingester.batch import Topic
from ingester.commands.offsets import placed
from ingester.commands.terminal import safe, terminal
from ingester.divergence import Fit
from ingester.errors import IngesterError, NeedsAPerson, NotPermitted
from ingester.kafka import Admin, Reader
from ingester.maintenance import months_from
from ingester.settings import Settings, load_settings
from ingester.store.connection import Connection, connect
from ingester.store.health import missing_leaves, permissions, server
from ingester.store.migrator import pending
from ingester.store.positions import stored_positions

_OLDEST_POSTGRES: Final = 150_000
_CLOCK_SECONDS_MAX: Final = 60.0
_KAFKA_PRIVILEGES: Final = "Kafka privileges"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `advice` where it is not well."""

    subject: str
    ok: bool
    detail: str
    advice: str = ""


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """Check settings, Kafka, PostgreSQL, permissions and offsets; exit code of the first fault."""
    faults: list[IngesterError] = []
    findings = list(_examine(faults))
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in findings]))
    else:
        console = terminal()
        for each in findings:
            mark = "[green]ok  [/]" if each.ok else "[red]FAIL[/]"
            console.print(f"{mark} {each.subject}: {safe(each.detail)}")
            if each.advice:
                console.print(f"       {safe(each.advice)}")
    if faults:
        raise faults[0]
    unwell = [each.subject for each in findings if not each.ok]
    if unwell == [_KAFKA_PRIVILEGES]:
        raise NotPermitted(f"not well: {_KAFKA_PRIVILEGES}")
    if unwell:
        raise NeedsAPerson(f"not well: {', '.join(unwell)}")


def _examine(faults: list[IngesterError]) -> Iterator[Finding]:
    """Each part on its own: one that fails keeps no other from being looked at."""
    settings = load_settings()
    yield Finding("settings", ok=True, detail="complete; see: ingester config")
    parts: dict[str, Callable[[Settings], Iterator[Finding]]] = {
        "PostgreSQL": _postgres,
        "Kafka": _kafka,
        "offsets": _offsets,
    }
    for name, look in parts.items():
        try:
            yield from look(settings)
        except IngesterError as error:
            faults.append(error)
            yield Finding(name, ok=False, detail=str(error), advice=_ADVICE[error.exit_code])


_ADVICE: Final = {
    1: "this is unexpected: report it",
    75: "does the address stand, is the server up, is TLS spoken on both sides?",
    77: "check login and password, pg_hba.conf, grants (sql/roles.sql) and Kafka's ACLs",
    78: "the message says what a person has to decide",
}


def _postgres(settings: Settings) -> Iterator[Finding]:
    with connect(settings, "ingester-doctor") as connection:
        facts = server(connection)
        yield Finding(
            "PostgreSQL",
            facts["version_number"] >= _OLDEST_POSTGRES,
            f"{facts['version']}, database {facts['database_name']}, schema "
            f"{facts['schema_name']}, as {facts['login']}, "
            f"{'TLS' if facts['encrypted'] else 'plain text'}",
            "" if facts["version_number"] >= _OLDEST_POSTGRES else "15 or newer is needed",
        )
        apart = abs(facts["clock_seconds"] - time.time())
        yield Finding(
            "clocks",
            apart < _CLOCK_SECONDS_MAX,
            f"{apart:.1f} s apart",
            "" if apart < _CLOCK_SECONDS_MAX else "set the clocks: the accepted window needs them",
        )
        yield from _schema(connection, settings)


def _schema(connection: Connection, settings: Settings) -> Iterator[Finding]:
    missing = pending(connection)
    yield Finding(
        "schema",
        not missing,
        f"{len(missing)} migrations missing" if missing else "of this version",
        "run: ingester migrate" if missing else "",
    )
    if missing:
        return
    may = [name for name, allowed in permissions(connection).items() if allowed]
    yield Finding(
        "privileges",
        bool(may),
        f"this login may: {', '.join(may) or 'nothing'}",
        "" if may else "grant it a role of sql/roles.sql; see: ingester migrate --roles",
    )
    months = months_from(datetime.now(UTC).date(), settings.ingester_partition_months_ahead)
    absent = missing_leaves(connection, months)
    yield Finding(
        "partitions",
        not absent,
        "missing: " + ", ".join(absent) if absent else f"{len(months) - 1} months ahead",
        "does ingester refresh run? it makes them" if absent else "",
    )


def _kafka(settings: Settings) -> Iterator[Finding]:
    admin = Admin(settings)
    identity = admin.identity(settings.kafka_topic)
    if settings.ingester_dead_letter_topic is not None:
        admin.identity(settings.ingester_dead_letter_topic)
    reader = Reader(settings)
    try:
        ends = [reader.watermarks(number)[1] for number in range(identity.partitions)]
    finally:
        reader.close()
    yield Finding(
        "Kafka",
        ok=True,
        detail=f"topic {settings.kafka_topic}, {len(ends)} partitions, "
        f"{sum(ends):,} offsets, cluster {identity.cluster_id}, {settings.kafka_security_protocol}",
    )
    missing = admin.missing_permissions(settings.kafka_topic, settings.kafka_group_id, "READ")
    if settings.ingester_dead_letter_topic is not None:
        missing += admin.missing_permissions(settings.ingester_dead_letter_topic, None, "WRITE")
    publishes = not admin.missing_permissions(settings.kafka_topic, None, "WRITE")
    yield Finding(
        _KAFKA_PRIVILEGES,
        not missing,
        f"this login may not: {', '.join(missing)}"
        if missing
        else f"this login may read as {settings.kafka_group_id}"
        + (" and publish" if publishes else "; not publish: no replay, no requeue"),
        "grant it these with kafka-acls.sh or your platform's tool" if missing else "",
    )


def _offsets(settings: Settings) -> Iterator[Finding]:
    with connect(settings, "ingester-doctor") as connection:
        stored = stored_positions(connection, settings.kafka_topic)
    if not stored:
        yield Finding("offsets", ok=True, detail="nothing was read yet")
        return
    identity = Admin(settings).identity(settings.kafka_topic)
    topic = Topic(settings.kafka_topic, identity.topic_id, identity.cluster_id)
    reader = Reader(settings)
    try:
        places = [placed(each, topic, reader, identity.partitions) for each in stored]
    finally:
        reader.close()
    wrong = {place.position.partition: place.fit for place in places if place.fit is not Fit.FITS}
    yield Finding(
        "offsets",
        not wrong,
        ", ".join(f"partition {number}: {fit}" for number, fit in wrong.items()) or "they fit",
        "see: ingester offsets show" if wrong else "",
    )
