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
-- Records by tenths of a minute, the last ten minutes. The newest ledger rows are found through the
-- primary key: ids are not commit order, but never far from it.
SELECT
    date_bin('10 seconds', ingested_at, timestamptz '2000-01-01 00:00:00+00') AS since,
    sum(records)::bigint AS records, sum(inserted)::bigint AS inserted
FROM (
    SELECT ingested_at, records, inserted FROM ingest_batches
    WHERE topic IS NOT NULL
    ORDER BY batch_id DESC LIMIT 10000
) AS newest
WHERE ingested_at > now() - interval '10 minutes'
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
