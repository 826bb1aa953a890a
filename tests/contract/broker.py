"""A topic in memory and a member of its consumer group, as `ingester.kafka.Source` shows them.

The member keeps the real one's habits: what the group decides is noticed inside `poll`; a partition
is read from where `start` put it and never before; offsets may have gaps; an end is told once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingester.errors import TemporaryError
from tests.contract.schedule import Schedule
from tests.record import FakeRecord


class Broker:
    """The logs of a topic's partitions. Offsets without a record are transaction markers."""

    def __init__(self, partitions: int) -> None:
        self.logs: dict[int, list[FakeRecord]] = {p: [] for p in range(partitions)}
        self.lows: dict[int, int] = dict.fromkeys(self.logs, 0)
        self.highs: dict[int, int] = dict.fromkeys(self.logs, 0)

    def publish(self, partition: int, *values: bytes | None) -> None:
        """Append records."""
        for value in values:
            self.logs[partition].append(FakeRecord(self.highs[partition], value))
            self.highs[partition] += 1

    def mark(self, partition: int, offsets: int = 1) -> None:
        """Append what no consumer is ever given."""
        self.highs[partition] += offsets

    def records_from(self, partition: int, offset: int, records_max: int) -> list[FakeRecord]:
        """Up to so many records at or after an offset."""
        return [each for each in self.logs[partition] if each.offset() >= offset][:records_max]


@dataclass(slots=True)
class FakePolled:
    """What one poll brought."""

    runs: list[tuple[int, list[FakeRecord]]] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)


class FakeSource:
    """A member of the group; tests play the group's coordinator by `assign`, `revoke`, `lose`."""

    def __init__(self, broker: Broker, schedule: Schedule) -> None:
        self._broker = broker
        self._schedule = schedule
        self._decided: list[tuple[str, list[int]]] = []
        self._noticed: list[tuple[str, list[int]]] = []
        self._expected: dict[int, int] = {}
        self._told_ends: dict[int, int] = {}
        self._stale: list[tuple[int, list[FakeRecord]]] = []
        self._refusals: list[str] = []
        self.paused = False

    # -- what tests do

    def assign(self, *partitions: int) -> None:
        """The group gives this member partitions; it notices in its next poll."""
        self._decided.append(("assigned", list(partitions)))

    def revoke(self, *partitions: int) -> None:
        """The group asks for partitions back; the member answers in its next poll."""
        self._decided.append(("revoked", list(partitions)))

    def lose(self, *partitions: int) -> None:
        """The group has given partitions to others; the member learns of it in its next poll."""
        self._decided.append(("lost", list(partitions)))

    def return_stale(self, partition: int, offset: int) -> None:
        """Let the next poll also bring what was fetched before the group decided."""
        self._stale.append((partition, self._broker.records_from(partition, offset, 1)))

    def refuse(self, what: str) -> None:
        """Let the next `start`, `pause` or `resume` fail, as while the group is deciding again."""
        self._refusals.append(what)

    @property
    def reading(self) -> set[int]:
        """Partitions that were started and are still ours."""
        return set(self._expected)

    # -- what the pipeline asks

    def poll(self, records_max: int, timeout_seconds: float) -> FakePolled:
        """Serve the group and return what there is; waits where there is nothing."""
        self._schedule.poll(records_max)
        self._follow_group()
        polled = FakePolled()
        polled.runs, self._stale = self._stale, []
        if not self.paused:
            self._read(polled, records_max)
        if not polled.runs and not polled.ends:
            self._schedule.pass_time(timeout_seconds)
        return polled

    def rebalances(self) -> list[tuple[str, list[int]]]:
        """What the group decided since the last call."""
        noticed, self._noticed = self._noticed, []
        return noticed

    def start(self, offsets: Mapping[int, int], _: Mapping[int, int]) -> None:
        """Read these partitions from these offsets on."""
        self._may("start")
        self._schedule.note("start", dict(offsets))
        self._expected.update(offsets)
        for partition in offsets:
            self._told_ends.pop(partition, None)

    def pause(self) -> None:
        """Fetch no more."""
        self._may("pause")
        self._schedule.note("pause")
        self.paused = True

    def resume(self) -> None:
        """Fetch again."""
        self._may("resume")
        self._schedule.note("resume")
        self.paused = False

    def hint(self, offsets: Mapping[int, int]) -> None:
        """Tell the group how far the store is."""
        self._schedule.note("hint", dict(offsets))

    def watermarks(self, partition: int) -> tuple[int, int]:
        """First kept offset and the end of the log."""
        return self._broker.lows[partition], self._broker.highs[partition]

    def _may(self, what: str) -> None:
        if what in self._refusals:
            self._refusals.remove(what)
            raise TemporaryError("the group is deciding again")

    def _follow_group(self) -> None:
        for kind, partitions in self._decided:
            if kind != "assigned":
                for partition in partitions:
                    self._expected.pop(partition, None)
            self._noticed.append((kind, partitions))
        self._decided = []

    def _read(self, polled: FakePolled, records_max: int) -> None:
        left = records_max
        for partition, expected in self._expected.items():
            records = self._broker.records_from(partition, expected, left)
            if records:
                polled.runs.append((partition, records))
                left -= len(records)
                self._expected[partition] = records[-1].offset() + 1
            end = self._broker.highs[partition]
            if left and self._told_ends.get(partition) != end:
                polled.ends[partition] = self._told_ends[partition] = end
                self._expected[partition] = end
