-- What the dashboard asks beyond the repository and the status.

-- name: refuse_writes
-- For the rest of the session, whatever its login may do.
SELECT set_config('default_transaction_read_only', 'on', false) AS read_only;

-- name: listen_to_refreshes
LISTEN campaign_stats_refreshed;

-- name: login_may_write
SELECT
    has_table_privilege('campaign_events', 'INSERT')
    OR has_table_privilege('ingest_offsets', 'UPDATE') AS may_write;

-- name: ingest_rate
-- Records by tenths of a minute, the last ten minutes. Where they begin in the ledger is found by
-- going back through the primary key, a thousand ids at a step: many partitions commit many rows.
-- Ids are not commit order, but never far from it: a minute more is read.
WITH RECURSIVE step AS (
    (SELECT batch_id, ingested_at FROM ingest_batches ORDER BY batch_id DESC LIMIT 1)
    UNION ALL
    SELECT earlier.batch_id, earlier.ingested_at
    FROM step
    CROSS JOIN LATERAL (
        SELECT batch_id, ingested_at FROM ingest_batches
        WHERE batch_id <= step.batch_id - 1000
        ORDER BY batch_id DESC LIMIT 1
    ) AS earlier
    WHERE step.ingested_at > now() - interval '11 minutes'
)

SELECT
    date_bin('10 seconds', ingested_at, timestamptz '2000-01-01 00:00:00+00') AS since,
    sum(records)::bigint AS records, sum(inserted)::bigint AS inserted
FROM ingest_batches
WHERE
    batch_id >= (SELECT min(batch_id) - 1000 FROM step)
    AND topic IS NOT NULL
    AND ingested_at > now() - interval '10 minutes'
GROUP BY since ORDER BY since;

-- name: migration_progress
-- No row where no replay has ever begun.
SELECT
    state.started_at, state.cut_date,
    count(ranges.first_date) AS ranges, count(ranges.acknowledged_at) AS ranges_done,
    coalesce(sum(ranges.planned_events), 0)::bigint AS events,
    coalesce(sum(ranges.events), 0)::bigint AS events_done
FROM replay_state AS state
LEFT JOIN replay_ranges AS ranges ON true
GROUP BY state.started_at, state.cut_date;

-- name: migration_steps
SELECT step, max(taken_at) AS taken_at, count(*) AS times
FROM migration_audit GROUP BY step ORDER BY max(taken_at);
