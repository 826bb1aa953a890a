"""One round: a topic, a database, workers on them, and how far they have come."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

import psycopg

from tests.acceptance.ingester import Ingester
from tests.acceptance.killing import short_session
from tests.acceptance.load import Load
from tests.acceptance.page import SETTINGS as PAGE
from tests.acceptance.page import Page
from tests.acceptance.process import Running
from tests.acceptance.publish import publish
from tests.acceptance.traffic import mixed

POLL_SECONDS: Final = 0.05
RECOVERY_SECONDS_MAX: Final = 120.0
_FIGURES_SECONDS_MAX: Final = 30.0
_FIGURES: Final = ("records", "events_inserted", "duplicates", "rejected")
_TOTALS: Final = """
    SELECT sum(records)::bigint, sum(inserted)::bigint, sum(duplicates)::bigint,
        sum(rejected)::bigint
    FROM ingest_offsets WHERE topic = %s
"""
_OFFSETS: Final = "SELECT partition, next_offset FROM ingest_offsets WHERE topic = %s"


@dataclass(slots=True)
class Round:
    """What a round came to. `recoveries` in seconds; `notes` what was seen on the way."""

    kind: str
    seed: int
    faults: int = 0
    recoveries: list[float] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    records: int = 0
    missing: int = 0
    invented: int = 0
    differences: list[str] = field(default_factory=list)
    difference_count: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every record stands exactly once."""
        return not self.difference_count and not self.differences

    def note(self, what: str, times: int = 1) -> None:
        """Count something worth knowing."""
        self.notes[what] = self.notes.get(what, 0) + times


class Arena:
    """The stage of a round. `forget` drops its database."""

    def __init__(self, ingester: Ingester, partitions: int, forget: Callable[[], None]) -> None:
        self.ingester = ingester
        self.partitions = partitions
        self._forget = forget
        self._published = 0

    def shorten_sessions(self) -> None:
        """Let the group notice a dead member as soon as the broker allows."""
        self.ingester.settings |= short_session(self.ingester.bootstrap)

    def publish(self, seed: int, count: int) -> None:
        """Records of every kind, all at once."""
        records = mixed(seed, count, partitions=self.partitions)
        self._published += publish(self.ingester.bootstrap, self.ingester.topic, records).total()

    @contextlib.contextmanager
    def load(self, seed: int, rate: int) -> Iterator[None]:
        """While the block runs, about so many records a second arrive."""
        to = (self.ingester.bootstrap, self.ingester.topic)
        with Load(*to, rate=rate, seed=seed, partitions=self.partitions) as load:
            yield
        self._published += load.counts.total()

    def worker(self, **settings: str) -> Running:
        """One more worker, which runs until it is stopped."""
        return self.ingester.start("run", settings=PAGE | settings)

    def doomed(self, stage: str, times: int, sign: str, after_seconds: float = 0.0) -> Running:
        """One more worker, which strikes itself at a stage."""
        fault = {
            "FAULT_STAGE": stage,
            "FAULT_TIMES": str(times),
            "FAULT_SIGNAL": sign,
            "FAULT_AFTER_SECONDS": f"{after_seconds:.4f}",
        }
        return self.ingester.start("run", settings=fault, module="tests.faults.point")

    def offsets(self) -> dict[int, int]:
        """What is stored; empty where the database does not answer."""
        try:
            with psycopg.connect(self.ingester.database_url, connect_timeout=5) as connection:
                return dict(connection.execute(_OFFSETS, [self.ingester.topic]).fetchall())
        except psycopg.Error:
            return {}

    def wait_for_progress(self, since: dict[int, int]) -> float:
        """Seconds until every partition is stored further than `since`; load must be on."""
        began = time.monotonic()
        while True:
            now = self.offsets()
            if len(now) == self.partitions and all(
                now[partition] > since.get(partition, -1) for partition in now
            ):
                return time.monotonic() - began
            if time.monotonic() - began > RECOVERY_SECONDS_MAX:
                tails = "\n".join(each.tail(1_000) for each in self.ingester.processes[-3:])
                raise AssertionError(f"no progress since {since}, now {now}:\n{tails}")
            time.sleep(POLL_SECONDS)

    def compare_figures(self, worker: Running, done: Round) -> None:
        """What the only worker says on its metrics page is what the database holds."""
        page, deadline = Page(worker), time.monotonic() + _FIGURES_SECONDS_MAX
        while True:
            shown = tuple(page.total(f"ingester_{name}_total") for name in _FIGURES)
            with psycopg.connect(self.ingester.database_url) as connection:
                held = connection.execute(_TOTALS, [self.ingester.topic]).fetchone()
            if shown == held:
                done.note("records told truly by the metrics", int(shown[0]))
                return
            if time.monotonic() > deadline:
                done.differences.append(f"the metrics say {shown}, the database {held}")
                return
            time.sleep(POLL_SECONDS)

    def judge(self, done: Round) -> None:
        """Stop everyone, let one worker read to the end, and ask the checker."""
        for each in self.ingester.processes:
            if each.code is None:
                each.end()
        self.ingester.run("run", "--until-caught-up", seconds=300.0)
        verdict = self.ingester.verdict()
        done.records, done.missing, done.invented = (
            verdict.records,
            verdict.missing,
            verdict.invented,
        )
        done.difference_count, done.differences = verdict.difference_count, verdict.differences[:5]
        if verdict.records != self._published:
            done.difference_count += 1
            done.differences.append(f"{verdict.records} records read, {self._published} published")

    def end(self) -> None:
        """Nothing of it is needed any more."""
        self.ingester.end()
        self._forget()


def drawn(random: Random, low: float, high: float) -> float:
    """A moment between two."""
    return low + random.random() * (high - low)
