-- The statements behind what operators do: offsets adopt and accept-gap, rejected requeue and
-- discard, and what they look at before.

-- name: stored_epochs
-- The leader epoch of the last record of each partition: a log that was truncated and refilled past
-- the stored offset shows only in it.
SELECT partition, leader_epoch FROM ingest_offsets
WHERE topic = %(topic)s AND leader_epoch IS NOT NULL;

-- name: stored_positions
SELECT partition, first_offset, next_offset, leader_epoch, cluster_id, topic_id
FROM ingest_offsets WHERE topic = %(topic)s ORDER BY partition;

-- name: lock_refresh
-- Folding and merging write ledger rows too: without it they and a closing of the ledger deadlock.
SELECT pg_advisory_xact_lock(ingest_lock_key('refresh'));

-- name: lock_position
SELECT partition, first_offset, next_offset, leader_epoch, cluster_id, topic_id
FROM ingest_offsets WHERE topic = %(topic)s AND partition = %(partition)s FOR UPDATE;

-- name: record_action
INSERT INTO operator_actions (
    action, topic, partition, first_offset, next_offset, detail, why, operator
) VALUES (
    %(action)s, %(topic)s, %(partition)s, %(first_offset)s, %(next_offset)s, %(detail)s, %(why)s,
    %(operator)s
) RETURNING action_id;

-- name: close_ledger
UPDATE ingest_batches SET closed_by = %(action_id)s
WHERE topic = %(topic)s AND partition = %(partition)s AND closed_by IS NULL;

-- name: begin_ledger
-- The running totals stay: they count what was written, in whichever ledger.
UPDATE ingest_offsets SET
    first_offset = %(first_offset)s, next_offset = %(first_offset)s, leader_epoch = NULL,
    cluster_id = %(cluster_id)s, topic_id = %(topic_id)s, updated_at = clock_timestamp()
WHERE topic = %(topic)s AND partition = %(partition)s;

-- name: record_gap
-- The ledger stays contiguous: what was given up is a row of it, without records.
INSERT INTO ingest_batches (
    batch_id, topic, topic_id, partition, first_offset, next_offset,
    records, inserted, duplicates, rejected, folded_at
) VALUES (
    nextval('ingest_batch_ids'), %(topic)s, %(topic_id)s, %(partition)s, %(first_offset)s,
    %(next_offset)s, 0, 0, 0, 0, clock_timestamp()
);

-- name: skip_gap
UPDATE ingest_offsets SET next_offset = %(next_offset)s, updated_at = clock_timestamp()
WHERE topic = %(topic)s AND partition = %(partition)s;

-- name: actions_on_topic
-- The newest first; a null topic asks for all.
SELECT
    action_id, action, topic, partition, first_offset, next_offset, detail, why, operator,
    database_role, acted_at
FROM operator_actions
WHERE topic = %(topic)s OR %(topic)s::text IS NULL
ORDER BY action_id DESC LIMIT %(rows_max)s;

-- name: accepted_losses
-- What verification cannot hold against anybody: positions given up and gaps accepted.
SELECT action_id, action, topic, partition, first_offset, next_offset, why, operator, acted_at
FROM operator_actions WHERE action IN ('adopt', 'accept_gap') ORDER BY action_id;

-- name: list_rejects
-- A null condition asks for all.
SELECT
    reject_id, topic, partition, "offset", reason_code, detail, value_bytes, rejected_at, state,
    attempts, forwarded_at
FROM rejected_events
WHERE
    (reject_id = ANY(%(ids)s) OR %(ids)s::bigint [] IS NULL)
    AND (reason_code = ANY(%(reasons)s) OR %(reasons)s::text [] IS NULL)
    AND (topic = %(topic)s OR %(topic)s::text IS NULL)
    AND (rejected_at >= %(since)s OR %(since)s::timestamptz IS NULL)
    AND (rejected_at < %(until)s OR %(until)s::timestamptz IS NULL)
    AND (state = %(state)s OR %(state)s::text IS NULL)
ORDER BY reject_id DESC LIMIT %(rows_max)s;

-- name: show_reject
SELECT
    reject_id, batch_id, topic, topic_id, partition, "offset", reason_code, detail, rejected_at,
    state, attempts, forwarded_at, value_bytes, encode(value_sha256, 'hex') AS value_sha256, key,
    value, headers
FROM rejected_events WHERE reject_id = %(reject_id)s;

-- name: take_rejects
-- The next ones in order; those that another operator is at are left to them.
SELECT reject_id, key, value, value_bytes, headers, reason_code
FROM rejected_events
WHERE
    reject_id > %(after)s
    AND (reject_id = ANY(%(ids)s) OR %(ids)s::bigint [] IS NULL)
    AND (reason_code = ANY(%(reasons)s) OR %(reasons)s::text [] IS NULL)
    AND (topic = %(topic)s OR %(topic)s::text IS NULL)
    AND (rejected_at >= %(since)s OR %(since)s::timestamptz IS NULL)
    AND (rejected_at < %(until)s OR %(until)s::timestamptz IS NULL)
    AND (state = %(state)s OR %(state)s::text IS NULL)
ORDER BY reject_id LIMIT %(rows_max)s
FOR UPDATE SKIP LOCKED;

-- name: mark_rejects
UPDATE rejected_events SET
    state = %(state)s,
    attempts = attempts + CASE WHEN %(state)s = 'requeued' THEN 1 ELSE 0 END
WHERE reject_id = ANY(%(ids)s);

-- name: server_facts
SELECT
    current_setting('server_version') AS version,
    current_setting('server_version_num')::integer AS version_number,
    current_user::text AS login, current_database()::text AS database_name,
    current_schema()::text AS schema_name,
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS encrypted,
    extract(EPOCH FROM clock_timestamp())::double precision AS clock_seconds;

-- name: login_may
-- What this login could run, by the privileges that the process needs.
SELECT
    has_table_privilege('campaign_events', 'SELECT, INSERT')
    AND has_table_privilege('ingest_offsets', 'UPDATE')
    AND has_table_privilege('ingest_batches', 'INSERT')
    AND has_table_privilege('rejected_events', 'INSERT')
    AND has_database_privilege(current_database(), 'TEMPORARY')
    AND has_function_privilege('create_campaign_events_partition(date)', 'EXECUTE') AS may_run,
    has_function_privilege('refresh_campaign_stats(integer)', 'EXECUTE')
    AND has_function_privilege('merge_ingest_batches(timestamptz)', 'EXECUTE')
    AND has_table_privilege('stats_refreshes', 'INSERT') AS may_refresh,
    has_function_privilege('get_campaign_stats(text [], date, date, text)', 'EXECUTE') AS may_stats,
    has_table_privilege('operator_actions', 'INSERT')
    AND has_table_privilege('rejected_events', 'UPDATE') AS may_operate;

-- name: migrations_readable
-- Null where there is no such table, false where it is not for us to read.
SELECT has_table_privilege(to_regclass('schema_migrations'), 'SELECT') AS readable;

-- name: take_dead_letters
-- The next ones in order; those that another refresher is at are left to it.
SELECT
    reject_id, topic, partition, "offset", key, value, value_bytes, headers, reason_code, detail
FROM rejected_events
WHERE forwarded_at IS NULL AND topic = %(topic)s
ORDER BY reject_id LIMIT %(rows_max)s
FOR UPDATE SKIP LOCKED;

-- name: mark_forwarded
UPDATE rejected_events SET forwarded_at = clock_timestamp() WHERE reject_id = ANY(%(ids)s);
