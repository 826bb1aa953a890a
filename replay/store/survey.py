"""Looks the old table over, and the new one as far as both overlap, in one snapshot."""

from datetime import UTC, date, datetime, time, timedelta

from psycopg import IsolationLevel, sql

from ingester.event import REPLAY_TAG
from ingester.settings import Settings
from ingester.store.connection import Connection, translating
from ingester.store.reading import Row
from ingester.store.statements import statement
from replay.expand import METRICS
from replay.legacy import LegacyTable
from replay.plan import Month, Problem, Survey
from replay.ranges import Day
from replay.store.legacy import keys
from replay.store.statements import about_gathered, about_legacy


def survey(
    connection: Connection, table: LegacyTable, settings: Settings, cut_date: date, today: date
) -> Survey:
    """Everything that `replay plan` tells; changes nothing."""
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    cut = {"cut": datetime.combine(cut_date, time.min, UTC), "tag": REPLAY_TAG}
    with translating(f"surveying {table.name}"), connection.transaction():
        months = connection.execute(about_legacy("legacy_months", table), {"until": cut_date})
        names = [column.name for column in months.description or ()]
        in_time = connection.execute(statement("live_in_time"), cut).fetchone()
        found = Survey(
            cut_date=cut_date,
            months=[_month(dict(zip(names, row, strict=True))) for row in months],
            problems=problems(
                connection, table, settings, about_legacy("legacy_problems", table), cut_date, today
            ),
            missing_metrics=table.missing_metrics,
            leaves=frozenset(
                month for (month,) in connection.execute(statement("existing_leaves"))
            ),
            live_before_cut=dict(connection.execute(statement("live_before_cut"), cut).fetchall()),
            live_in_time=bool(in_time and in_time[0]),
        )
    connection.isolation_level = connection.read_only = None
    return found


def gathered_problems(
    connection: Connection, table: LegacyTable, settings: Settings, cut_date: date, today: date
) -> list[Problem]:
    """Rows that cannot become events, by kind, among those that a run has gathered."""
    query = about_gathered("legacy_problems")
    return problems(connection, table, settings, query, cut_date, today)


def problems(
    connection: Connection,
    table: LegacyTable,
    settings: Settings,
    query: sql.Composed,
    cut_date: date,
    today: date,
) -> list[Problem]:
    """Rows that cannot become events, by kind, as `query` (`legacy_problems`) finds them."""
    start = today - timedelta(days=settings.ingester_window_days_back - 1)
    floor = connection.execute(statement("replay_floor")).fetchone()
    if floor is not None and floor[0] is not None:
        start = max(start, floor[0])
    unique = [set(names) for names, is_unique in keys(connection, table) if is_unique]
    parameters = {
        "until": cut_date,
        "window_start": start,
        "ids_unique": {table.columns["id"]} in unique,
        "days_unique": {table.columns["campaign_id"], table.columns["stat_date"]} in unique,
    }
    found = connection.execute(query, parameters)
    return [Problem(kind, rows, examples) for kind, rows, examples in found]


def gathered_days(connection: Connection, cut_date: date) -> list[Day]:
    """The days before the cut that have something to replay, in order."""
    found = connection.execute(about_gathered("legacy_days"), {"until": cut_date})
    return [Day(*row) for row in found]


def _month(row: Row) -> Month:
    return Month(
        month=row["month"],
        before_cut=row["before_cut"],
        rows=row["rows"],
        rows_with_value=row["rows_with_value"],
        events={metric: row[f"{metric}_events"] for metric in METRICS},
        sums={metric: int(row[metric]) for metric in METRICS},
    )
