"""A month whose events came in no order, so that its key is some two thirds full."""

from typing import Final

import psycopg

LEAF: Final = "campaign_events_2025_01"
ROWS: Final = 12_000


def make_sparse(connection: psycopg.Connection) -> None:
    """Make the leaf and fill it."""
    connection.execute("SELECT create_campaign_events_partition('2025-01-15')")
    connection.execute(
        "INSERT INTO campaign_events"
        " (event_id, occurred_at, batch_id, campaign_key, event_count, event_type)"
        " SELECT md5(n::text)::uuid, '2025-01-01 00:00+00'::timestamptz"
        " + n * interval '1 second', 1, n, 1, 'sent'"
        " FROM generate_series(1, %s) AS n ORDER BY md5(n::text)",
        [ROWS],
    )
