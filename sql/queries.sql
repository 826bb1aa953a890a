-- The statements of the ingester, by name. Schema and functions are in migrations/ and functions/.

-- name: set_up_session
-- Bounded waits for everything; UTC, so that dates mean UTC days whatever the server's setting.
SELECT
    set_config('TimeZone', 'UTC', false) AS time_zone,
    set_config('DateStyle', 'ISO', false) AS date_style,
    set_config('default_transaction_isolation', 'read committed', false) AS isolation,
    set_config('statement_timeout', %(limit_ms)s, false) AS statement_timeout,
    set_config('lock_timeout', %(lock_ms)s, false) AS lock_timeout,
    set_config('idle_in_transaction_session_timeout', %(limit_ms)s, false) AS idle_timeout;

-- name: begin
BEGIN;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- name: campaign_keys
SELECT campaign_id, campaign_key FROM campaigns WHERE campaign_id = ANY(%(campaign_ids)s);

-- name: add_campaigns
-- Only ids that a look-up did not find come here, so hardly a key is burnt; sorted, so that two
-- writers take their locks in one order.
INSERT INTO campaigns (campaign_id)
SELECT campaign_id FROM unnest(%(campaign_ids)s::text []) AS new (campaign_id) ORDER BY campaign_id
ON CONFLICT (campaign_id) DO NOTHING;

-- name: stored_offsets
SELECT partition, next_offset FROM ingest_offsets WHERE topic = %(topic)s;

-- name: adopt_partitions
-- The first assignment of a partition creates its row; racing members agree on the first of them.
INSERT INTO ingest_offsets (topic, partition, first_offset, next_offset, cluster_id, topic_id)
SELECT %(topic)s, new.partition, new.first_offset, new.first_offset, %(cluster_id)s, %(topic_id)s
FROM unnest(%(partitions)s::integer [], %(first_offsets)s::bigint [])
    AS new (partition, first_offset)
ORDER BY new.partition
ON CONFLICT (topic, partition) DO NOTHING;

-- name: next_batch_ids
SELECT nextval('ingest_batch_ids') FROM generate_series(1, %(count)s);

-- name: lock_offsets
-- One order everywhere (topic, partition), so that two writers cannot deadlock here.
SELECT partition, next_offset FROM ingest_offsets
WHERE topic = %(topic)s AND partition = ANY(%(partitions)s)
ORDER BY topic, partition FOR UPDATE;

-- name: end_blocking_writers
-- A stopped process keeps its transaction, and a COPY that waits for its client obeys no timeout.
-- Only backends of our own role and kind are ended; whatever they held open rolls back.
SELECT activity.pid, pg_terminate_backend(activity.pid) AS ended
FROM pg_stat_activity AS activity
WHERE
    activity.pid = ANY(pg_blocking_pids(%(waiting_pid)s))
    AND activity.application_name LIKE 'ingester-writer%%'
    AND activity.usename = current_user;

-- name: share_floor
-- Held to the end of the transaction: raising the floor waits for every batch that relied on it.
SELECT pg_advisory_xact_lock_shared(ingest_lock_key('floor'));

-- name: retention_floor
-- Infinite dates do not exist in Python: no floor is null.
SELECT CASE WHEN isfinite(floor_date) THEN floor_date END AS floor_date FROM retention_floor;

-- name: attached_leaves
-- Leaves by name, as far as they are attached now.
SELECT leaf.relname
FROM pg_inherits
INNER JOIN pg_class AS leaf ON pg_inherits.inhrelid = leaf.oid
WHERE pg_inherits.inhparent = 'campaign_events'::regclass AND NOT pg_inherits.inhdetachpending;

-- name: leaf_name
SELECT campaign_events_partition_name(%(month)s);

-- name: create_leaf
SELECT create_campaign_events_partition(%(month)s);

-- name: lock_leaf
-- The lock that COPY would take anyway; taken first, so that what is seen next stays true.
LOCK TABLE ONLY {leaf} IN ROW EXCLUSIVE MODE;

-- name: copy_rows
COPY {table} (
    occurred_at, campaign_key, event_id, batch_id,
    event_count, event_type, email_account_id, metadata
) FROM STDIN WITH (FORMAT "binary");

-- name: create_staging
CREATE TEMPORARY TABLE IF NOT EXISTS staged_events (LIKE campaign_events) ON COMMIT DELETE ROWS;

-- name: empty_staging
DELETE FROM staged_events;

-- name: insert_staged
-- Counts per batch what was new; the order of the primary key keeps the index local.
WITH inserted AS (
    INSERT INTO {leaf} AS event (
        occurred_at, campaign_key, event_id, batch_id,
        event_count, event_type, email_account_id, metadata
    )
    SELECT
        occurred_at, campaign_key, event_id, batch_id,
        event_count, event_type, email_account_id, metadata
    FROM staged_events
    ORDER BY occurred_at, campaign_key, event_id
    ON CONFLICT DO NOTHING
    RETURNING event.batch_id
)

SELECT batch_id, count(*) AS events FROM inserted GROUP BY batch_id;

-- name: conflicting_staged
-- Repeats that tell another story. The subquery is correlated on purpose: one look into the
-- primary key per staged row, whatever the planner knows of either table.
SELECT staged.batch_id, count(*) AS events
FROM staged_events AS staged
WHERE (staged.event_count, staged.event_type) IS DISTINCT FROM (
    SELECT ROW(event.event_count, event.event_type) FROM {leaf} AS event
    WHERE
        event.occurred_at = staged.occurred_at
        AND event.campaign_key = staged.campaign_key
        AND event.event_id = staged.event_id
)
GROUP BY staged.batch_id;

-- name: insert_reject
INSERT INTO rejected_events (
    batch_id, topic, topic_id, partition, "offset", key, value, value_bytes, value_sha256,
    headers, reason_code, detail
) VALUES (
    %(batch_id)s, %(topic)s, %(topic_id)s, %(partition)s, %(at_offset)s, %(key)s, %(value)s,
    %(value_bytes)s, %(value_sha256)s, %(headers)s, %(reason_code)s, %(detail)s
);

-- name: insert_ledger_row
-- A batch without new events has nothing to fold.
INSERT INTO ingest_batches (
    batch_id, topic, topic_id, partition, first_offset, next_offset,
    records, inserted, duplicates, conflicting, rejected,
    min_occurred_at, max_occurred_at, folded_at
) VALUES (
    %(batch_id)s, %(topic)s, %(topic_id)s, %(partition)s, %(first_offset)s, %(next_offset)s,
    %(records)s, %(inserted)s, %(duplicates)s, %(conflicting)s, %(rejected)s,
    %(min_occurred_at)s, %(max_occurred_at)s,
    CASE WHEN %(inserted)s = 0 THEN clock_timestamp() END
);

-- name: advance_offset
-- The compare-and-set: a consumer that lost its partition moves no row.
UPDATE ingest_offsets SET
    next_offset = %(next_offset)s,
    leader_epoch = %(leader_epoch)s,
    records = records + %(records)s,
    inserted = inserted + %(inserted)s,
    duplicates = duplicates + %(duplicates)s,
    conflicting = conflicting + %(conflicting)s,
    rejected = rejected + %(rejected)s,
    updated_at = clock_timestamp()
WHERE topic = %(topic)s AND partition = %(partition)s AND next_offset = %(first_offset)s;

-- name: ledger_has
SELECT count(*) FROM ingest_batches WHERE batch_id = ANY(%(batch_ids)s);

-- name: lock_migration
-- 'MIGRATES' in ASCII; before the schema exists there is no function to ask for a key.
SELECT pg_advisory_xact_lock(x'4D49475241544553'::bigint);

-- name: server_encoding
SELECT current_setting('server_encoding');

-- name: current_schema
SELECT current_schema();

-- name: use_schema
SET LOCAL search_path = {schema}, pg_temp;

-- name: act_as_owner
-- Whoever migrates, what they make belongs to ingester_owner, where that owns the schema's tables.
SELECT set_config('role', 'ingester_owner', true) FROM pg_class
WHERE oid = to_regclass('schema_migrations') AND relowner = to_regrole('ingester_owner');

-- name: create_migration_tables
-- Functions are checked when they run: they may be created in any order.
SET LOCAL check_function_bodies = off;
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS schema_functions (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: applied_migrations
SELECT version, checksum FROM schema_migrations;

-- name: record_migration
INSERT INTO schema_migrations (version, name, checksum)
VALUES (%(version)s, %(name)s, %(checksum)s);

-- name: applied_functions
SELECT name, checksum FROM schema_functions;

-- name: record_function
INSERT INTO schema_functions (name, checksum) VALUES (%(name)s, %(checksum)s)
ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum, applied_at = clock_timestamp();

-- name: fold
SELECT batches, events FROM refresh_campaign_stats(%(batches_max)s);

-- name: summarize
SELECT summarize_campaign_events();

-- name: record_failed_refresh
-- A refresh that keeps failing for one reason is one row a minute, not one a second.
INSERT INTO stats_refreshes (started, error)
SELECT %(started)s, %(error)s
WHERE NOT EXISTS (
    SELECT 1 FROM stats_refreshes
    WHERE error = %(error)s AND finished > clock_timestamp() - interval '1 minute'
);

-- name: rebuild
SELECT days, weeks, months, changed FROM rebuild_campaign_stats(%(start_date)s, %(end_date)s);

-- name: drop_old_leaves
CALL drop_old_campaign_events_partitions(%(months_to_keep)s);

-- name: merge_ledger
SELECT merge_ingest_batches(clock_timestamp() - make_interval(days => %(days_whole)s));

-- name: trim_refreshes
-- One a second makes 86,400 a day; those that failed are looked for longer. The last good one says
-- as of when the statistics are, however long ago that was.
DELETE FROM stats_refreshes
WHERE
    finished < clock_timestamp()
    - CASE WHEN error IS NULL THEN interval '1 day' ELSE interval '30 days' END
    AND refresh_id IS DISTINCT FROM (
        SELECT refresh_id FROM stats_refreshes WHERE error IS NULL ORDER BY refresh_id DESC LIMIT 1
    );

-- name: sparse_indexes
-- Primary keys worth packing: of leaves whose month is over (is_final: hardly anything will be
-- added) and of the roll-ups. How full an index is follows from its size and the rows of its table:
-- as vacuum or analyze counted them last or, before the first of these, as writers have reported
-- them (after it, reports count twice what was not reported yet). An entry is 40 or 16 bytes and 4
-- of line pointer, and metapage and root are left out. Thresholds lie below what packing reaches,
-- 100 and 90 percent.
SELECT name, is_final
FROM (
    SELECT
        index.relname::text AS name, kept.is_final,
        sum(pg_relation_size(index.oid)) OVER (
            ORDER BY pg_relation_size(index.oid), index.oid
        ) AS bytes_so_far
    FROM (
        SELECT inhrelid AS table_id, true AS is_final, 44 AS entry_bytes, 0.9 AS full_enough
        FROM pg_inherits
        WHERE
            inhparent = 'campaign_events'::regclass
            AND right(inhrelid::regclass::text, 7) < to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')
        UNION ALL
        SELECT oid, false AS is_final, 20 AS entry_bytes, 0.7 AS full_enough
        FROM pg_class
        WHERE oid = ANY(ARRAY[
            'campaign_daily_rollup', 'campaign_weekly_rollup', 'campaign_monthly_rollup'
        ]::regclass [])
    ) AS kept
    INNER JOIN pg_class AS heap ON kept.table_id = heap.oid
    INNER JOIN pg_index AS key ON heap.oid = key.indrelid
    INNER JOIN pg_class AS index ON key.indexrelid = index.oid
    CROSS JOIN LATERAL (
        SELECT
            current_setting('block_size')::integer AS bytes,
            CASE
                WHEN heap.reltuples >= 0 THEN heap.reltuples ELSE pg_stat_get_live_tuples(heap.oid)
            END AS rows
    ) AS known
    WHERE
        key.indisprimary AND key.indisvalid AND pg_has_role(index.relowner, 'USAGE')
        AND pg_relation_size(index.oid) >= 16 * known.bytes
        AND known.rows > 0
        AND known.rows * kept.entry_bytes
        < kept.full_enough * (pg_relation_size(index.oid) / known.bytes - 2) * (known.bytes - 40)
) AS sparse
WHERE bytes_so_far <= %(bytes_max)s
ORDER BY bytes_so_far;

-- name: unfinished_indexes
-- What an interrupted REINDEX CONCURRENTLY left on our tables: it costs every write and serves
-- nobody.
SELECT index.relname::text AS name
FROM pg_index AS key
INNER JOIN pg_class AS index ON key.indexrelid = index.oid
WHERE
    NOT key.indisvalid AND index.relkind = 'i' AND index.relname ~ '_cc(new|old)\d*$'
    AND pg_has_role(index.relowner, 'USAGE')
    AND (
        key.indrelid IN (
            SELECT inhrelid FROM pg_inherits WHERE inhparent = 'campaign_events'::regclass
        )
        OR key.indrelid = ANY(ARRAY[
            'campaign_daily_rollup', 'campaign_weekly_rollup', 'campaign_monthly_rollup'
        ]::regclass [])
    );

-- name: drop_unfinished_index
-- Waits for one that is still being built, and by then it may have gone.
DROP INDEX CONCURRENTLY IF EXISTS {index};

-- name: fill_pages
ALTER INDEX {index} SET (fillfactor = 100);

-- name: pack_index
REINDEX INDEX CONCURRENTLY {index};

-- name: lock_wait
SELECT current_setting('lock_timeout');

-- name: limit_lock_waits
SELECT set_config('lock_timeout', %(wait)s, false);

-- name: campaign_stats
SELECT
    campaign_id, period_start, sent, opened, clicked, replied, positive_replies, bounced
FROM get_campaign_stats(%(campaign_ids)s, %(start_date)s, %(end_date)s, %(granularity)s);

-- name: status_partitions
SELECT
    topic, partition, next_offset, records, inserted, duplicates, conflicting, rejected, updated_at
FROM ingest_offsets ORDER BY topic, partition;

-- name: status_freshness
-- As of when the statistics are complete: everything ingested before `complete_until` is in them.
SELECT
    (SELECT count(*) FROM ingest_batches WHERE folded_at IS NULL) AS unfolded_batches,
    (SELECT coalesce(sum(inserted), 0) FROM ingest_batches WHERE folded_at IS NULL)
        AS unfolded_events,
    (SELECT coalesce(min(ingested_at), now()) FROM ingest_batches WHERE folded_at IS NULL)
        AS complete_until,
    (SELECT max(updated_at) FROM ingest_offsets) AS last_ingest,
    (SELECT finished FROM stats_refreshes WHERE error IS NULL ORDER BY refresh_id DESC LIMIT 1)
        AS last_refresh,
    (SELECT finished FROM stats_refreshes WHERE error IS NOT NULL ORDER BY refresh_id DESC LIMIT 1)
        AS last_failure,
    (SELECT error FROM stats_refreshes WHERE error IS NOT NULL ORDER BY refresh_id DESC LIMIT 1)
        AS last_error;

-- name: status_storage
-- Bytes on disk with indexes and TOAST, by what they are for.
SELECT relation.purpose, sum(pg_total_relation_size(relation.oid))::bigint AS bytes
FROM (
    SELECT 'events' AS purpose, inhrelid::regclass::oid AS oid FROM pg_inherits
    WHERE inhparent = 'campaign_events'::regclass
    UNION ALL
    SELECT
        CASE
            WHEN relname LIKE 'campaign_%%_rollup' THEN 'rollups'
            WHEN relname = 'campaigns' THEN 'campaigns'
            WHEN relname = 'rejected_events' THEN 'rejects'
            ELSE 'ledger'
        END AS purpose,
        oid
    FROM pg_class
    WHERE
        oid = ANY(ARRAY[
            'campaign_daily_rollup', 'campaign_weekly_rollup', 'campaign_monthly_rollup',
            'campaigns', 'rejected_events', 'ingest_batches', 'ingest_offsets', 'stats_refreshes'
        ]::regclass [])
) AS relation
GROUP BY relation.purpose ORDER BY relation.purpose;

-- name: status_rejects
SELECT reason_code, state, count(*) AS count FROM rejected_events
GROUP BY reason_code, state ORDER BY count(*) DESC, reason_code ASC, state ASC;

-- name: one_snapshot
SET LOCAL transaction_isolation = 'repeatable read';

-- name: verify_read_only
SET LOCAL transaction_read_only = on;

-- name: verify_without_seqscan
-- Batches are looked up one by one: through the BRIN, whatever the planner thinks of it.
SET LOCAL enable_seqscan = off;

-- name: verify_offsets_contiguous
-- Every ledger row starts where the one before ended; the first and the last match the offset row,
-- or, in a ledger that an operator closed, the position that was given up then.
WITH ledgers AS (
    SELECT topic, partition, NULL::bigint AS closed_by, first_offset, next_offset
    FROM ingest_offsets
    UNION ALL
    SELECT topic, partition, action_id AS closed_by, first_offset, next_offset
    FROM operator_actions WHERE action = 'adopt'
)
SELECT
    entry.topic, entry.partition, entry.batch_id, entry.first_offset,
    entry.expected AS expected_first_offset
FROM (
    SELECT
        batch.topic, batch.partition, batch.batch_id, batch.first_offset,
        lag(batch.next_offset, 1, ledgers.first_offset) OVER (
            PARTITION BY batch.topic, batch.partition, batch.closed_by ORDER BY batch.first_offset
        ) AS expected
    FROM ingest_batches AS batch
    LEFT JOIN ledgers
        ON batch.topic = ledgers.topic AND batch.partition = ledgers.partition
        AND batch.closed_by IS NOT DISTINCT FROM ledgers.closed_by
    WHERE batch.topic IS NOT NULL
) AS entry
WHERE entry.first_offset IS DISTINCT FROM entry.expected
UNION ALL
SELECT
    ledgers.topic, ledgers.partition, NULL AS batch_id, ended.next_offset, ledgers.next_offset
FROM ledgers
LEFT JOIN (
    SELECT topic, partition, closed_by, max(next_offset) AS next_offset
    FROM ingest_batches GROUP BY 1, 2, 3
) AS ended
    ON ledgers.topic = ended.topic AND ledgers.partition = ended.partition
    AND ledgers.closed_by IS NOT DISTINCT FROM ended.closed_by
WHERE coalesce(ended.next_offset, ledgers.first_offset) <> ledgers.next_offset
LIMIT 100;

-- name: verify_totals
-- The running totals of each partition equal the sums of its ledger.
SELECT
    stored.topic, stored.partition,
    stored.records, stored.inserted, stored.duplicates, stored.conflicting, stored.rejected,
    ledger.records AS ledger_records, ledger.inserted AS ledger_inserted,
    ledger.duplicates AS ledger_duplicates, ledger.conflicting AS ledger_conflicting,
    ledger.rejected AS ledger_rejected
FROM ingest_offsets AS stored
LEFT JOIN (
    SELECT
        topic, partition, sum(records) AS records, sum(inserted) AS inserted,
        sum(duplicates) AS duplicates, sum(conflicting) AS conflicting, sum(rejected) AS rejected
    FROM ingest_batches GROUP BY topic, partition
) AS ledger USING (topic, partition)
WHERE
    (stored.records, stored.inserted, stored.duplicates, stored.conflicting, stored.rejected)
    IS DISTINCT FROM (
        coalesce(ledger.records, 0), coalesce(ledger.inserted, 0), coalesce(ledger.duplicates, 0),
        coalesce(ledger.conflicting, 0), coalesce(ledger.rejected, 0)
    )
LIMIT 100;

-- name: verify_rows
-- Each ledger row's events are there, as many as it says and no others.
SELECT
    ledger.batch_id, min(counted.batch_id) AS events_batch_id,
    coalesce(max(ledger.inserted - ledger.dropped), 0) AS expected,
    coalesce(sum(counted.events), 0) AS found
FROM (
    SELECT
        batch_id, inserted, dropped,
        unnest(coalesce(merged_batch_ids, ARRAY[batch_id])) AS one_id
    FROM ingest_batches
) AS ledger
FULL JOIN (
    SELECT batch_id, count(*) AS events FROM campaign_events GROUP BY batch_id
) AS counted ON counted.batch_id = ledger.one_id
GROUP BY ledger.batch_id
HAVING coalesce(max(ledger.inserted - ledger.dropped), 0) <> coalesce(sum(counted.events), 0)
LIMIT 100;

-- name: verify_rejects
-- Each ledger row's rejects are there, as many as it says and no others.
SELECT
    ledger.batch_id, min(counted.batch_id) AS rejects_batch_id,
    coalesce(max(ledger.rejected), 0) AS expected, coalesce(sum(counted.rejects), 0) AS found
FROM (
    SELECT batch_id, rejected, unnest(coalesce(merged_batch_ids, ARRAY[batch_id])) AS one_id
    FROM ingest_batches
) AS ledger
FULL JOIN (
    SELECT batch_id, count(*) AS rejects FROM rejected_events GROUP BY batch_id
) AS counted ON counted.batch_id = ledger.one_id
GROUP BY ledger.batch_id
HAVING coalesce(max(ledger.rejected), 0) <> coalesce(sum(counted.rejects), 0)
LIMIT 100;

-- name: verify_dropped
-- What left with dropped months is accounted for in the ledger.
SELECT ledger.dropped AS ledger_dropped, months.events AS months_events
FROM (SELECT coalesce(sum(dropped), 0) AS dropped FROM ingest_batches) AS ledger
CROSS JOIN (SELECT coalesce(sum(events), 0) AS events FROM dropped_partitions) AS months
WHERE ledger.dropped <> months.events;

-- name: verify_daily
-- The daily roll-up equals the events of the folded batches, month by month as far as they are
-- kept.
WITH truth AS (
    SELECT
        campaign_key, (occurred_at AT TIME ZONE 'UTC')::date AS event_date,
        max(occurred_at) AS last_activity,
        coalesce(sum(event_count) FILTER (WHERE event_type = 'sent'), 0) AS sent,
        coalesce(sum(event_count) FILTER (WHERE event_type = 'opened'), 0) AS opened,
        coalesce(sum(event_count) FILTER (WHERE event_type = 'clicked'), 0) AS clicked,
        coalesce(sum(event_count) FILTER (WHERE event_type = 'replied'), 0) AS replied,
        coalesce(sum(event_count) FILTER (WHERE event_type = 'positive_reply'), 0)
            AS positive_replies,
        coalesce(sum(event_count) FILTER (WHERE event_type = 'bounced'), 0) AS bounced
    FROM campaign_events
    WHERE batch_id NOT IN (SELECT batch_id FROM ingest_batches WHERE folded_at IS NULL)
    GROUP BY campaign_key, (occurred_at AT TIME ZONE 'UTC')::date
),
rollup AS (
    SELECT
        campaign_key, event_date,
        coalesce(last_activity, event_date::timestamp AT TIME ZONE 'UTC') AS last_activity,
        coalesce(sent, 0) AS sent, coalesce(opened, 0) AS opened, coalesce(clicked, 0) AS clicked,
        coalesce(replied, 0) AS replied, coalesce(positive_replies, 0) AS positive_replies,
        coalesce(bounced, 0) AS bounced
    FROM campaign_daily_rollup
    WHERE date_trunc('month', event_date::timestamp)::date
        NOT IN (SELECT month_start FROM dropped_partitions)
)
SELECT
    campaigns.campaign_id, event_date, to_jsonb(rollup) - 'campaign_key' - 'event_date' AS rollup,
    to_jsonb(truth) - 'campaign_key' - 'event_date' AS events
FROM truth
FULL JOIN rollup USING (campaign_key, event_date)
LEFT JOIN campaigns USING (campaign_key)
WHERE
    (truth.sent, truth.opened, truth.clicked, truth.replied, truth.positive_replies,
        truth.bounced, truth.last_activity)
    IS DISTINCT FROM
    (rollup.sent, rollup.opened, rollup.clicked, rollup.replied, rollup.positive_replies,
        rollup.bounced, rollup.last_activity)
ORDER BY campaigns.campaign_id, event_date
LIMIT 100;

-- name: verify_dropped_months
-- The days of a dropped month still add up to what was dropped.
SELECT
    months.month_start, to_jsonb(months) - 'dropped_at' - 'events' AS dropped,
    to_jsonb(days) AS rollup
FROM dropped_partitions AS months
LEFT JOIN LATERAL (
    SELECT
        coalesce(sum(sent), 0) AS sent, coalesce(sum(opened), 0) AS opened,
        coalesce(sum(clicked), 0) AS clicked, coalesce(sum(replied), 0) AS replied,
        coalesce(sum(positive_replies), 0) AS positive_replies, coalesce(sum(bounced), 0) AS bounced
    FROM campaign_daily_rollup
    WHERE event_date >= months.month_start
        AND event_date < (months.month_start + interval '1 month')::date
) AS days ON true
WHERE
    (months.sent, months.opened, months.clicked,
        months.replied, months.positive_replies, months.bounced)
    IS DISTINCT FROM
    (days.sent, days.opened, days.clicked, days.replied, days.positive_replies, days.bounced)
LIMIT 100;

-- name: verify_weekly
-- The weekly roll-up equals the sum of its days.
WITH truth AS (
    SELECT
        campaign_key, date_trunc('week', event_date::timestamp)::date AS week_start,
        max(coalesce(last_activity, event_date::timestamp AT TIME ZONE 'UTC')) AS last_activity,
        coalesce(sum(sent), 0) AS sent,
        coalesce(sum(opened), 0) AS opened, coalesce(sum(clicked), 0) AS clicked,
        coalesce(sum(replied), 0) AS replied,
        coalesce(sum(positive_replies), 0) AS positive_replies,
        coalesce(sum(bounced), 0) AS bounced
    FROM campaign_daily_rollup
    GROUP BY campaign_key, date_trunc('week', event_date::timestamp)::date
)
SELECT
    campaigns.campaign_id, week_start, to_jsonb(rollup) - 'campaign_key' - 'week_start' AS rollup,
    to_jsonb(truth) - 'campaign_key' - 'week_start' AS days
FROM truth
FULL JOIN campaign_weekly_rollup AS rollup USING (campaign_key, week_start)
LEFT JOIN campaigns USING (campaign_key)
WHERE
    (truth.sent, truth.opened, truth.clicked, truth.replied, truth.positive_replies,
        truth.bounced, truth.last_activity)
    IS DISTINCT FROM
    (coalesce(rollup.sent, 0), coalesce(rollup.opened, 0), coalesce(rollup.clicked, 0),
        coalesce(rollup.replied, 0), coalesce(rollup.positive_replies, 0),
        coalesce(rollup.bounced, 0), rollup.last_activity)
ORDER BY campaigns.campaign_id, week_start
LIMIT 100;

-- name: verify_monthly
-- The monthly roll-up equals the sum of its days.
WITH truth AS (
    SELECT
        campaign_key, date_trunc('month', event_date::timestamp)::date AS month_start,
        max(coalesce(last_activity, event_date::timestamp AT TIME ZONE 'UTC')) AS last_activity,
        coalesce(sum(sent), 0) AS sent,
        coalesce(sum(opened), 0) AS opened, coalesce(sum(clicked), 0) AS clicked,
        coalesce(sum(replied), 0) AS replied,
        coalesce(sum(positive_replies), 0) AS positive_replies,
        coalesce(sum(bounced), 0) AS bounced
    FROM campaign_daily_rollup
    GROUP BY campaign_key, date_trunc('month', event_date::timestamp)::date
)
SELECT
    campaigns.campaign_id, month_start, to_jsonb(rollup) - 'campaign_key' - 'month_start' AS rollup,
    to_jsonb(truth) - 'campaign_key' - 'month_start' AS days
FROM truth
FULL JOIN campaign_monthly_rollup AS rollup USING (campaign_key, month_start)
LEFT JOIN campaigns USING (campaign_key)
WHERE
    (truth.sent, truth.opened, truth.clicked, truth.replied, truth.positive_replies,
        truth.bounced, truth.last_activity)
    IS DISTINCT FROM
    (coalesce(rollup.sent, 0), coalesce(rollup.opened, 0), coalesce(rollup.clicked, 0),
        coalesce(rollup.replied, 0), coalesce(rollup.positive_replies, 0),
        coalesce(rollup.bounced, 0), rollup.last_activity)
ORDER BY campaigns.campaign_id, month_start
LIMIT 100;

-- name: verify_counts
SELECT
    (SELECT count(*) FROM campaign_events) AS events,
    (SELECT count(*) FROM rejected_events) AS rejects,
    (SELECT coalesce(sum(records), 0)::bigint FROM ingest_batches) AS records,
    (SELECT coalesce(sum(inserted), 0)::bigint FROM ingest_batches) AS inserted,
    (SELECT coalesce(sum(duplicates), 0)::bigint FROM ingest_batches) AS duplicates,
    (SELECT coalesce(sum(rejected), 0)::bigint FROM ingest_batches) AS rejected,
    (SELECT coalesce(sum(dropped), 0)::bigint FROM ingest_batches) AS dropped,
    (SELECT count(*) FROM ingest_batches WHERE folded_at IS NULL) AS unfolded_batches;

-- name: topic_partitions
SELECT partition, first_offset, next_offset, cluster_id, topic_id
FROM ingest_offsets WHERE topic = %(topic)s ORDER BY partition;

-- name: ledger_of_partition
SELECT
    coalesce(merged_batch_ids, ARRAY[batch_id]) AS batch_ids, first_offset, next_offset,
    records, inserted, duplicates, rejected, dropped, min_occurred_at, max_occurred_at
FROM ingest_batches
WHERE
    topic = %(topic)s AND partition = %(partition)s AND next_offset > %(from_offset)s
    AND closed_by IS NULL
ORDER BY first_offset;

-- name: events_of_batches
SELECT
    campaigns.campaign_id, event.event_id, event.occurred_at,
    event.event_type::text AS event_type, event.event_count
FROM campaign_events AS event
INNER JOIN campaigns USING (campaign_key)
WHERE
    event.batch_id BETWEEN %(first_id)s AND %(last_id)s
    AND event.batch_id = ANY(%(batch_ids)s)
    AND event.occurred_at BETWEEN %(since)s AND %(until)s;

-- name: rejects_of_batches
SELECT "offset", value_sha256 FROM rejected_events
WHERE batch_id = ANY(%(batch_ids)s) AND topic = %(topic)s AND partition = %(partition)s;

-- name: absent_events
-- Which of these identities have no row; below the retention floor none is expected.
SELECT wanted.number::integer
FROM unnest(
    %(campaign_ids)s::text [], %(event_ids)s::uuid [], %(times)s::timestamptz []
) WITH ORDINALITY AS wanted (campaign_id, event_id, occurred_at, number)
WHERE
    NOT EXISTS (
        SELECT 1 FROM campaign_events AS event
        INNER JOIN campaigns USING (campaign_key)
        WHERE
            campaigns.campaign_id = wanted.campaign_id
            AND event.event_id = wanted.event_id
            AND event.occurred_at = wanted.occurred_at
    )
    AND (wanted.occurred_at AT TIME ZONE 'UTC')::date >= (SELECT floor_date FROM retention_floor);
