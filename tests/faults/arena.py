"""One round: a topic, a database, workers on them, and how far they have come."""

import contextlib
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

import psycopg

from tests.acceptance.ingester import Ingester
from tests.acceptance.killing import short_session, shorten_consumer_sessions
from tests.acceptance.load import Load
from tests.acceptance.page import SETTINGS as PAGE
from tests.acceptance.process import Running
from tests.acceptance.publish import publish
from tests.acceptance.traffic import Kind, mixed
from tests.checker.statistics import wrong_statistics

CLASSIC: Final[Mapping[str, str]] = {}
CONSUMER: Final[Mapping[str, str]] = {"KAFKA_CONF__group_protocol": "consumer"}
"""Settings of the two protocols that a group may have (KIP-848: the broker decides)."""
POLL_SECONDS: Final = 0.05
RECOVERY_SECONDS_MAX: Final = 120.0
_COUNTS: Final = """
    SELECT
        sum(records)::bigint, sum(inserted)::bigint, sum(duplicates)::bigint,
        sum(rejected)::bigint,
        (SELECT count(*) FROM campaign_events), (SELECT count(*) FROM rejected_events)
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
        self._published: Counter[Kind] = Counter()

    def shorten_sessions(self) -> None:
        """Let the group notice a dead member as soon as the broker allows."""
        settings = self.ingester.settings
        if settings.items() >= CONSUMER.items():
            shorten_consumer_sessions(self.ingester.bootstrap, settings["KAFKA_GROUP_ID"])
        else:
            settings |= short_session(self.ingester.bootstrap)

    def make_partitions(self) -> None:
        """Those of the coming months too, without which nobody is ready."""
        made = self.ingester.run("refresh", "--once")
        assert made.code == 0, made.tail()

    def publish(self, seed: int, count: int) -> None:
        """Records of every kind, all at once."""
        records = mixed(seed, count, partitions=self.partitions)
        self._published += publish(self.ingester.bootstrap, self.ingester.topic, records)

    @contextlib.contextmanager
    def load(self, seed: int, rate: int) -> Iterator[None]:
        """While the block runs, about so many records a second arrive."""
        to = (self.ingester.bootstrap, self.ingester.topic)
        with Load(*to, rate=rate, seed=seed, partitions=self.partitions) as load:
            yield
        self._published += load.counts

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
        return self.ingester.start("run", settings=PAGE | fault, module="tests.faults.point")

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

    def judge(self, done: Round) -> None:
        """Stop everyone, let one worker read to the end, refresh, and ask the checker."""
        self._read_to_the_end(done)
        verdict = self.ingester.verdict()
        done.records, done.missing, done.invented = (
            verdict.records,
            verdict.missing,
            verdict.invented,
        )
        done.difference_count += verdict.difference_count
        done.differences += verdict.differences[:5]
        if verdict.records != self._published.total():
            done.differences.append(
                f"{verdict.records} records read, {self._published.total()} published"
            )

    def count(self, done: Round) -> None:
        """Judge by numbers, where there are more records than memory."""
        self._read_to_the_end(done)
        published = self._published
        valid, invalid = published[Kind.VALID], published[Kind.INVALID]
        done.records = published.total()
        expected = (done.records, valid, done.records - valid - invalid, invalid, valid, invalid)
        with psycopg.connect(self.ingester.database_url) as connection:
            held = connection.execute(_COUNTS, [self.ingester.topic]).fetchone()
        if held != expected:
            done.differences.append(
                f"records, inserted, duplicates, rejected, rows, rejects: {held}, not {expected}"
            )

    def _read_to_the_end(self, done: Round) -> None:
        for each in self.ingester.processes:
            if each.code is None:
                each.end()
        self.ingester.run("run", "--until-caught-up", seconds=300.0)
        refreshed = self.ingester.run("refresh", "--once")
        assert refreshed.code == 0, refreshed.tail()
        done.differences += wrong_statistics(self.ingester.database_url)

    def end(self) -> None:
        """Nothing of it is needed any more."""
        self.ingester.end()
        self._forget()


def leave(member: Running) -> None:
    """Let a member leave its group by itself, so that nobody waits for its session to end."""
    member.signal(signal.SIGTERM)
    code = member.wait(15.0)
    assert code in (0, -signal.SIGTERM), f"left with {code}:\n{member.tail()}"


def drawn(random: Random, low: float, high: float) -> float:
    """A moment between two."""
    return low + random.random() * (high - low)
