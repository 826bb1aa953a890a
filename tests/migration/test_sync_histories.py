"""`replay sync` over random histories of the old table, killed wherever it can be killed.

The topic is a fake that hands what is flushed to the ingester's stand-in, with repeats and losses
where a kill would cause them; database and SQL are real.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import orjson
import pytest

from ingester.settings import load_settings
from ingester.store.connection import Connection, connect
from replay.expand import METRICS
from replay.settings import load_replay_settings
from replay.store import corrections
from replay.store.proofs import Proofs, snapshot
from replay.store.readiness import progress
from replay.store.standing import legacy_table
from replay.sync import Outcome, Sync
from replay.verification import differing_months
from tests.migration.old_table import CAMPAIGNS, DAYS, NAME, OldTable, cut_date
from tests.sql.history import Event

HISTORIES = 15
STEPS = 12


class Killed(Exception):
    """The process ends here."""


class FakeTopic:
    """What is flushed is ingested at once; it may die before and after the broker took it."""

    def __init__(self, old: OldTable, random: Random | None = None) -> None:
        self._old = old
        self._random = random
        self._held: list[Event] = []

    def publish(self, key: bytes, value: bytes) -> None:
        told = orjson.loads(value)
        assert key.decode() == told["campaign_id"]
        assert told["correction"] is True
        time = told["occurred_at"].replace("Z", "+00:00")
        self._held.append(
            Event(
                told["campaign_id"],
                datetime.fromisoformat(time),
                told["event_type"],
                told["count"],
                UUID(told["event_id"]),
            )
        )
        self._maybe_die(0.02)

    def flush(self) -> None:
        self._maybe_die(0.2)
        if self._random and self._held and self._random.random() < 0.3:
            # The broker took some, and nobody was told.
            self._old.history.ingest(self._held[: self._random.randrange(len(self._held)) + 1])
            raise Killed
        if self._held:
            self._old.history.ingest(self._held)
        self._held.clear()
        self._maybe_die(0.2)

    def ends(self) -> dict[int, int]:
        found = self._old.query("SELECT next_offset FROM ingest_offsets WHERE partition = 0")
        return {0: found[0][0]}

    def _maybe_die(self, chance: float) -> None:
        if self._random and self._random.random() < chance:
            raise Killed


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    with connect(load_settings(database_url=url), "test") as connection:
        yield connection


def synced(url: str, old: OldTable, random: Random | None = None) -> Outcome:
    with connected(url) as connection:
        table = legacy_table(connection, load_replay_settings())
        return Sync(connection, table, FakeTopic(old, random), 5.0, lambda *_: None).run(seed=7)


def differing(url: str) -> list[object]:
    with connected(url) as connection, snapshot(connection):
        table = legacy_table(connection, load_replay_settings())
        proofs = Proofs(connection, table, progress(connection).span, 3)
        return list(differing_months(proofs.legacy_sums(), proofs.event_sums().replayed))


def change(old: OldTable, random: Random) -> None:
    """One thing that happens to the old table: a row changed, inserted, deleted, moved."""
    day = cut_date() - timedelta(days=random.randrange(1, DAYS + 20))
    campaign = random.randrange(CAMPAIGNS + 2)
    kind = random.choice(("value", "value", "insert", "delete", "day", "swap", "after the cut"))
    metric = random.choice(METRICS)
    where = "WHERE campaign_id = %s AND stat_date = %s"
    key = (f"campaign-{campaign}", day)
    if kind == "value":
        value = random.choice((0, 10, 12, random.randrange(500)))
        old.run(f"UPDATE {NAME} SET {metric} = %s {where}", value, *key)
    elif kind == "insert":
        if not old.query(f"SELECT 1 FROM {NAME} {where}", *key):
            old.insert(campaign, day, old.values())
    elif kind == "delete":
        old.run(f"DELETE FROM {NAME} {where}", *key)
    elif kind == "day":
        free = f"NOT EXISTS (SELECT 1 FROM {NAME} {where})"
        old.run(
            f"UPDATE {NAME} SET stat_date = %s {where} AND {free}",
            *(day - timedelta(days=40), *key, key[0], day - timedelta(days=40)),
        )
    elif kind == "swap":
        old.run(f"UPDATE {NAME} SET sent = opened, opened = sent {where}", *key)
    else:
        old.run(f"UPDATE {NAME} SET sent = sent + 5 {where}", key[0], cut_date())


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_whatever_happens_to_the_old_table_the_events_follow(
    replayed_url: str, old_table: OldTable, seed: int
) -> None:
    random = Random(seed)
    killed = 0
    for _ in range(STEPS):
        for _ in range(random.randrange(6)):
            change(old_table, random)
        if random.random() < 0.3:
            old_table.late()
        try:
            synced(replayed_url, old_table, random)
        except Killed:
            killed += 1
        old_table.history.refresh()
    synced(replayed_url, old_table)
    assert differing(replayed_url) == []
    again = synced(replayed_url, old_table)
    assert (again.resumed, again.planned.corrections) == (0, 0)
    assert killed, "this seed tests nothing of interest"
    old_table.history.refresh()
    old_table.history.assert_statistics_are_true()


def test_a_value_that_goes_to_and_fro_ends_where_it_ends(
    replayed_url: str, old_table: OldTable
) -> None:
    day = cut_date() - timedelta(days=10)
    for value in (10, 12, 10, 12):
        old_table.run(
            f"UPDATE {NAME} SET clicked = %s WHERE campaign_id = 'campaign-1' AND stat_date = %s",
            *(value, day),
        )
        synced(replayed_url, old_table)
        told = old_table.query(
            "SELECT sum(event_count) FROM campaign_events INNER JOIN campaigns USING (campaign_key)"
            " WHERE campaign_id = 'campaign-1' AND occurred_at = %s AND event_type = 'clicked'",
            day,
        )
        assert told == [(value,)]
    revisions = old_table.query("SELECT revision, delta FROM replay_corrections ORDER BY revision")
    assert [revision for revision, _ in revisions] == [1, 2, 3, 4]
    assert [delta for _, delta in revisions][1:] == [2, -2, 2]


def test_a_deleted_row_is_taken_back_and_a_new_one_counts(
    replayed_url: str, old_table: OldTable
) -> None:
    ((day, sent),) = old_table.query(
        f"SELECT stat_date, sent FROM {NAME} WHERE campaign_id = 'campaign-2' AND sent > 0"
        " AND stat_date < %s ORDER BY stat_date LIMIT 1",
        cut_date(),
    )
    old_table.run(f"DELETE FROM {NAME} WHERE campaign_id = 'campaign-2' AND stat_date = %s", day)
    done = synced(replayed_url, old_table)
    assert done.planned.rows_gone == 1
    assert done.planned.deltas["sent"] == -sent
    old_table.insert(2, day, (sent + 1, 0, 0, 0, 0, 0))
    assert synced(replayed_url, old_table).planned.deltas == {"sent": sent + 1}
    assert differing(replayed_url) == []


def test_two_planners_never_plan_the_same_twice(replayed_url: str, old_table: OldTable) -> None:
    old_table.run(f"UPDATE {NAME} SET sent = sent + 1 WHERE stat_date < %s", cut_date())
    with connected(replayed_url) as one, connected(replayed_url) as other:
        table = legacy_table(one, load_replay_settings())
        planned = corrections.plan(one, table, 1)
        assert planned.corrections == CAMPAIGNS * DAYS
        assert corrections.plan(other, table, 2).settled is False


def test_a_refused_replay_event_stops_sync_before_it_corrects_for_it(
    replayed_url: str, old_table: OldTable
) -> None:
    old_table.run(
        'INSERT INTO rejected_events (batch_id, topic, partition, "offset", value, value_bytes,'
        " value_sha256, reason_code, detail) VALUES (1, 't', 0, 5,"
        " convert_to('{\"event_id\": \"00000000-0000-8ca3-9a17-000000000000\"}', 'UTF8'), 9, '',"
        " 'outside_window', '')"
    )
    with pytest.raises(Exception, match="1 replay events were rejected"):
        synced(replayed_url, old_table)
    old_table.run("UPDATE rejected_events SET state = 'discarded'")
    synced(replayed_url, old_table)


def test_sync_waits_for_the_ingester_and_says_so_when_it_stands_still(
    replayed_url: str, old_table: OldTable
) -> None:
    old_table.run("UPDATE replay_watermarks SET next_offset = next_offset + 10")
    with connected(replayed_url) as connection:
        table = legacy_table(connection, load_replay_settings())
        job = Sync(connection, table, FakeTopic(old_table), 0.3, lambda *_: None)
        with pytest.raises(Exception, match="10 records wait"):
            job.run(seed=1)
    assert old_table.query("SELECT count(*) FROM replay_corrections") == [(0,)]
