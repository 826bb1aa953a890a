"""The guarantee's five sentences as checks of the tables, and a sixth: that work gets done.

`watch` holds at every moment, whatever is under way; the others hold when everything was read.
"""

from collections import Counter
from itertools import pairwise

from tests.contract.broker import Broker
from tests.simulation.database import Tables
from tests.simulation.outcome import told_by

WORK_IS_DONE = 6


class Broken(AssertionError):
    """A sentence that does not hold, by its number, and what shows it."""

    def __init__(self, sentence: int, what: str) -> None:
        super().__init__(f"sentence {sentence}: {what}")
        self.sentence = sentence


def watch(tables: Tables) -> None:
    """What holds at every moment."""
    _one_transaction(tables)
    _positions_follow_the_ledger(tables)
    _statistics_are_the_events(tables)


def _one_transaction(tables: Tables) -> None:
    """2: events, rejects, ledger and offsets commit together."""
    events = Counter(batch for batch, _ in tables.events.values())
    rejects = Counter(batch for _, _, batch in tables.rejects)
    for number, entry in tables.ledger.items():
        records, inserted, duplicates, rejected = entry.counts
        if (inserted, rejected) != (events.pop(number, 0), rejects.pop(number, 0)):
            raise Broken(2, f"batch {number} is not what its ledger row says")
        if records != inserted + duplicates + rejected:
            raise Broken(1, f"batch {number} does not balance")
    if events or rejects:
        raise Broken(2, f"rows of batches {sorted({*events, *rejects})} without a ledger row")


def _positions_follow_the_ledger(tables: Tables) -> None:
    """3: offsets move by compare-and-set, so that ranges follow each other without overlap."""
    for partition, begun in tables.begun.items():
        mine = [entry for entry in tables.ledger.values() if entry.partition == partition]
        ranges = [(begun, begun), *sorted((entry.first, entry.next) for entry in mine)]
        for before, after in pairwise(ranges):
            if after[0] != before[1]:
                raise Broken(3, f"partition {partition}: {after} follows {before}")
        if tables.positions[partition] != ranges[-1][1]:
            raise Broken(2, f"partition {partition}: its offset is not the end of its ledger")


def _statistics_are_the_events(tables: Tables) -> None:
    """5: the statistics equal the sum of the events of all folded batches."""
    sums: Counter[str] = Counter()
    for (campaign, _, _), (batch, count) in tables.events.items():
        if batch in tables.ledger and tables.ledger[batch].folded:
            sums[campaign] += count
    if sums != tables.rollup:
        raise Broken(5, f"the statistics are {tables.rollup}, the events {sums}")


def work_is_done(tables: Tables, broker: Broker) -> None:
    """6: when nothing fails any more, everything is read to its end."""
    if tables.positions != broker.highs:
        raise Broken(WORK_IS_DONE, f"{tables.positions} of {broker.highs} are stored")


def everything_is_there(tables: Tables, broker: Broker) -> None:
    """1 and 4: every record is one of event, duplicate, reject; an event stands once."""
    events: set[tuple[str, bytes, int]] = set()
    rejects: list[tuple[int, int]] = []
    records: Counter[int] = Counter()
    for partition, log in broker.logs.items():
        for record, told in zip(log, told_by([one.value() for one in log]), strict=True):
            records[partition] += 1
            if told is None:
                rejects.append((partition, record.offset()))
            else:
                events.add(told.identity)
    stored = tables.events.keys()
    if stored != events:
        raise Broken(
            1, f"{len(events - stored)} events are missing, {len(stored - events)} made up"
        )
    if sorted(each[:2] for each in tables.rejects) != sorted(rejects):
        raise Broken(1, "the rejects are not the bad records")
    for partition, count in records.items():
        counted = sum(e.counts[0] for e in tables.ledger.values() if e.partition == partition)
        if counted != count:
            raise Broken(1, f"partition {partition}: {counted} records counted, it has {count}")
    if sum(entry.counts[1] for entry in tables.ledger.values()) != len(events):
        raise Broken(4, "more events are counted as new than there are")
    if any(not entry.folded for entry in tables.ledger.values()):
        raise Broken(5, "batches that no refresh will ever take")
