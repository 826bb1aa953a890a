"""The yardstick of the migration: the same in plain SQL, on the same server and tables.

INSERT … SELECT of the values that are not zero, three REFRESH MATERIALIZED VIEW (without any index
on them), one FULL JOIN that compares. No topic, no ledger, nothing that could be resumed.
"""

import time

from bench.database import Database

VIEWS = ("straight_daily", "straight_weekly", "straight_monthly")


def migrate(database: Database) -> dict[str, float]:
    """Migrate by SQL alone into empty tables; returns seconds by step."""
    seconds = {}
    began = time.perf_counter()
    database.run("straight_campaigns")
    database.run("straight_events")
    seconds["insert"] = time.perf_counter() - began
    began = time.perf_counter()
    for view in VIEWS:
        database.run("straight_refresh", {"view": view})
    seconds["refresh"] = time.perf_counter() - began
    began = time.perf_counter()
    differences = database.value("straight_verify")
    seconds["verify"] = time.perf_counter() - began
    if differences:
        raise RuntimeError(f"plain SQL: {differences} values differ")
    return seconds
