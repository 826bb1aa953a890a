"""`ingester offsets`: the stored position of each partition, and the audited ways on."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

import typer

from ingester.batch import Topic
from ingester.commands.operator import Why, Yes, operator, reason
from ingester.commands.terminal import plain_table, safe, terminal
from ingester.divergence import Fit, Position, fit_of
from ingester.errors import UsageError
from ingester.kafka import Admin, Reader
from ingester.settings import load_settings
from ingester.store import positions as store
from ingester.store.connection import Connection, connect

app = typer.Typer(
    name="offsets",
    help="The stored offset of each partition, and the audited way on where it does not fit.",
    no_args_is_help=True,
)
_ACTIONS_SHOWN = 20

AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON object.")]
OnePartition = Annotated[
    int | None, typer.Option("--partition", min=0, help="Only this one; default: all that need it.")
]


@dataclass(frozen=True, slots=True)
class Place:
    """A stored position beside what the topic holds; `goes_on_at` where a change would put it."""

    position: Position
    fit: Fit
    low: int | None
    high: int | None
    goes_on_at: int | None = None

    def as_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        lag = None if self.high is None else max(self.high - self.position.next_offset, 0)
        facts = {"fit": self.fit, "low": self.low, "high": self.high, "lag": lag}
        return {**asdict(self.position), **facts, "goes_on_at": self.goes_on_at}


@dataclass(frozen=True, slots=True)
class _Look:
    """What both sides say of the topic now."""

    connection: Connection
    topic: Topic
    places: list[Place]

    def of(self, partition: int | None) -> list[Place]:
        """All of them, or the one that was named."""
        found = [p for p in self.places if partition in {None, p.position.partition}]
        if not found:
            what = "" if partition is None else f"[{partition}]"
            raise UsageError(f"no offset is stored for {self.topic.name}{what}")
        return found


@app.command()
def show(as_json: AsJson = False) -> None:
    """Stored offsets beside the topic, whether they fit, and what operators decided before."""
    with _look() as look:
        actions = store.actions_on(look.connection, look.topic.name, _ACTIONS_SHOWN)
        _print(look, look.places, as_json=as_json, actions=actions)


@app.command()
def adopt(
    partition: OnePartition = None,
    from_offset: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Where to read on, with --partition; default: the first record that is kept.",
        ),
    ] = None,
    why: Why = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Read the topic as it is now: after it was made again, truncated or moved to another cluster.

    Reading begins at the first record that the topic keeps. Events that are
    stored already count as duplicates, so nothing is lost and nothing counted
    twice. What was written so far stays, in a closed ledger of its own.
    """
    if from_offset is not None and partition is None:
        raise UsageError("--from-offset needs --partition")

    def chosen(place: Place) -> Place | None:
        if partition is None and place.fit in {Fit.FITS, Fit.DELETED, Fit.NOT_IN_TOPIC}:
            return None
        if from_offset is not None and not (place.low or 0) <= from_offset <= (place.high or 0):
            raise UsageError(f"--from-offset must lie between {place.low} and {place.high}")
        start = from_offset if from_offset is not None else place.low or 0
        return replace(place, goes_on_at=start)

    def carry_out(look: _Look, place: Place, offset: int, because: str) -> None:
        connection = look.connection
        store.adopt(connection, look.topic, place.position, offset, because, operator())

    _change(partition, chosen, carry_out, why, yes=yes, as_json=as_json)


@app.command("accept-gap")
def accept_gap(
    partition: OnePartition = None, why: Why = None, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Go on behind records that were deleted before they were read; they are given up.

    The range stands in the ledger as one without records, and in the audit.
    """

    def chosen(place: Place) -> Place | None:
        return replace(place, goes_on_at=place.low) if place.fit is Fit.DELETED else None

    def carry_out(look: _Look, place: Place, offset: int, because: str) -> None:
        connection = look.connection
        store.accept_gap(connection, look.topic.name, place.position, offset, because, operator())

    _change(partition, chosen, carry_out, why, yes=yes, as_json=as_json)


def _change(
    partition: int | None,
    chosen: Callable[[Place], Place | None],
    carry_out: Callable[[_Look, Place, int, str], None],
    why: str | None,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Choose the places, tell what would be done, and with `yes` do it, one by one."""
    because = reason(why) if yes else ""
    with _look() as look:
        places = [place for place in map(chosen, look.of(partition)) if place is not None]
        if yes:
            for place in places:
                carry_out(look, place, place.goes_on_at or 0, because)
        _print(look, places, as_json=as_json, done=yes)
    if not as_json and not places:
        typer.echo("nothing needs it; see: ingester offsets show")
    elif not as_json and not yes:
        typer.echo('nothing was changed; to do it, add: --yes --why "…"')


@contextmanager
def _look() -> Iterator[_Look]:
    settings = load_settings()
    with connect(settings, "ingester-offsets") as connection:
        identity = Admin(settings).identity(settings.kafka_topic)
        topic = Topic(settings.kafka_topic, identity.topic_id, identity.cluster_id)
        stored = store.stored_positions(connection, topic.name)
        reader = Reader(settings)
        try:
            places = [placed(each, topic, reader, identity.partitions) for each in stored]
        finally:
            reader.close()
        yield _Look(connection, topic, places)


def placed(position: Position, topic: Topic, reader: Reader, partitions: int) -> Place:
    """A stored position beside what the topic of so many partitions holds."""
    number = position.partition
    if number >= partitions:
        return Place(position, fit_of(position, topic, None, truncated=False), None, None)
    low, high = reader.watermarks(number)
    fit = fit_of(position, topic, (low, high), truncated=False)
    if fit is Fit.FITS and reader.is_truncated(number, position.next_offset, position.leader_epoch):
        fit = Fit.TRUNCATED
    return Place(position, fit, low, high)


def _print(look: _Look, places: list[Place], *, as_json: bool, **more: Any) -> None:
    if as_json:
        facts = {"topic": asdict(look.topic), "partitions": [each.as_json() for each in places]}
        typer.echo(json.dumps({**facts, **more}, default=str))
        return
    console = terminal()
    table = plain_table(safe(look.topic.name))
    for name in ("partition", "stored", "begins", "ends", "fit", "goes on at"):
        table.add_column(name, justify="left" if name == "fit" else "right", no_wrap=True)
    for place in places:
        numbers = (place.position.next_offset, place.low, place.high)
        shown = [_number(each) for each in numbers]
        partition, onward = str(place.position.partition), _number(place.goes_on_at)
        table.add_row(partition, *shown, str(place.fit), onward)
    console.print(table)
    for action in more.get("actions", ()):
        where = f"{safe(action['topic'])}\\[{action['partition']}]"
        span = f"{action['first_offset']} to {action['next_offset']}"
        console.print(
            f"{action['acted_at']:%Y-%m-%d %H:%M} {action['action']} {where} {span} "
            f"by {safe(action['operator'])}: {safe(action['why'])}"
        )


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
