"""A database with a past: events, ledger, offsets and roll-ups as a long life would have left them.

Made by SQL, month by month, in the order in which the ingester would have written: batch after
batch, each sorted, so that the heap, the BRIN on batch_id and the primary key look as they do in
life. Unless told otherwise all campaigns send all the time, which is hard on the refresher: the
roll-ups are as large, and a day touches as many of their rows, as can be.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from bench.database import Database
from bench.traffic import CAMPAIGNS
from ingester.maintenance import months_from
from ingester.settings import Settings
from ingester.store.refreshing import RefreshStore

TOPIC: Final = "bench"
UNTIL: Final = datetime(2026, 6, 21, tzinfo=UTC)
"""Where history ends and new events begin; late in a month, so that its leaf is large."""
MONTHS: Final = 24
_BATCH_ROWS: Final = 5000
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class History:
    """So many events of so many campaigns, evenly over the months before `UNTIL`.

    A campaign is alive for `lifetime_months`; all of them all the time by default.
    """

    events: int
    campaigns: int = CAMPAIGNS
    lifetime_months: int = MONTHS

    @property
    def since(self) -> datetime:
        """The first moment."""
        return datetime(UNTIL.year - MONTHS // 12, UNTIL.month, 1, tzinfo=UTC)

    @property
    def months(self) -> list[date]:
        """All months that it touches."""
        return months_from(self.since.date(), MONTHS)

    def alive(self, month: date) -> range:
        """Keys of the campaigns that are alive in a month; the others come before or after it."""
        if self.lifetime_months == MONTHS:
            return range(1, self.campaigns + 1)
        number = (month.year - self.since.year) * 12 + month.month - self.since.month
        born_each_month = max(self.campaigns // (MONTHS + self.lifetime_months - 1), 1)
        count = min(born_each_month * self.lifetime_months, self.campaigns)
        first = min(number * born_each_month, self.campaigns - count)
        return range(1 + first, 1 + first + count)

    def write(self, database: Database) -> None:
        """Fill an empty migrated database; autovacuum keeps off its tables."""
        database.run("seed_random")
        database.run("history_campaigns", campaigns=self.campaigns)
        for month in self.months:
            self._write_month(database, month)
        database.run("history_ledger", topic=TOPIC)
        database.run("history_offsets")
        database.run("history_sequence")
        for (table,) in database.rows("tables_of_the_refresh"):
            database.run("autovacuum_off", {"table": table})
        database.run("checkpoint")

    def fold(self, settings: Settings) -> None:
        """Fill the roll-ups, month by month as they were folded in life."""
        store = RefreshStore(settings)
        for month in self.months:
            store.rebuild(month, next_month(month) - timedelta(days=1))
        store.close()

    def _write_month(self, database: Database, month: date) -> None:
        leaf = f"campaign_events_{month:%Y_%m}"
        step = (UNTIL - self.since) / self.events
        start = datetime(month.year, month.month, 1, tzinfo=UTC)
        end = min(datetime.combine(next_month(month), datetime.min.time(), UTC), UNTIL)
        database.run("history_leaf", {"leaf": leaf})
        database.run("autovacuum_off", {"table": leaf})
        database.run(
            "history_events",
            {"leaf": leaf},
            first=self._number(start),
            last=self._number(end) - 1,
            since=self.since,
            step=step,
            month_start=start,
            batch_rows=_BATCH_ROWS,
            first_campaign=self.alive(month).start,
            campaigns=len(self.alive(month)),
        )
        database.bind("attach_leaf", leaf, month, next_month(month))

    def _number(self, moment: datetime) -> int:
        """How many events come before a moment."""
        passed_us, all_us = ((end - self.since) // _MICROSECOND for end in (moment, UNTIL))
        return -(-passed_us * self.events // all_us)


def next_month(month: date) -> date:
    """The first day of the month after."""
    return months_from(month, 1)[1]
