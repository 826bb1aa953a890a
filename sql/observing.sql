-- Statements for those who watch a running system.

-- name: observed_facts
-- Cheap at any size: the leaves by name, the partial index on unfolded batches, the last refreshes.
SELECT
    (
        SELECT min(ahead.months) - 1
        FROM generate_series(0, 61) AS ahead (months)
        WHERE
            NOT EXISTS (
                SELECT 1
                FROM pg_inherits
                INNER JOIN pg_class AS leaf ON pg_inherits.inhrelid = leaf.oid
                WHERE
                    pg_inherits.inhparent = 'campaign_events'::regclass
                    AND leaf.relname = campaign_events_partition_name(
                        (
                            date_trunc('month', now() AT TIME ZONE 'UTC')
                            + make_interval(months => ahead.months)
                        )::date
                    )
            )
    ) AS months_ahead,
    (
        SELECT coalesce(extract(EPOCH FROM now() - min(ingested_at)), 0)
        FROM ingest_batches WHERE folded_at IS NULL
    ) AS freshness_seconds,
    (
        SELECT finished FROM stats_refreshes WHERE error IS NULL ORDER BY refresh_id DESC LIMIT 1
    ) AS last_refresh;
