-- The statements of the benches, by name.

-- name: create_database
CREATE DATABASE {database} TEMPLATE template0;

-- name: drop_database
DROP DATABASE IF EXISTS {database} WITH (FORCE);

-- name: checkpoint
-- Before each run, so that none pays for the pages that the one before has left dirty, and each
-- pays for full-page writes from the same start.
CHECKPOINT;

-- name: create_leaf
SELECT create_campaign_events_partition(%(month)s);

-- name: count_events
SELECT count(*) FROM campaign_events;

-- name: dump_in_order
SELECT
    set_config('max_parallel_workers_per_gather', '0', false),
    set_config('synchronize_seqscans', 'off', false);

-- name: dump_events
-- The columns in the order of ingester.binary_copy.COLUMNS, for psql to copy in again.
COPY (
    SELECT
        occurred_at, campaign_key, event_id, batch_id, event_count, event_type,
        email_account_id, metadata
    FROM campaign_events
) TO STDOUT (FORMAT {form});

-- name: ledger_totals
SELECT
    coalesce(sum(records), 0)::bigint AS records, coalesce(sum(inserted), 0)::bigint AS inserted,
    coalesce(sum(duplicates), 0)::bigint AS duplicates, coalesce(sum(rejected), 0)::bigint AS rejected
FROM ingest_batches;

-- name: backend_pid
SELECT pg_backend_pid();

-- name: wal_position
-- Of the whole server: right only where nobody else writes.
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint;

-- name: flush_statistics
SELECT pg_stat_force_next_flush();

-- name: backend_wal_bytes
-- Of this connection alone; PostgreSQL 18 and newer.
SELECT wal_bytes::bigint FROM pg_stat_get_backend_wal(pg_backend_pid());

-- name: server_settings
-- What decides about durability and speed, and whatever somebody has changed; no path, no address.
SELECT name, current_setting(name) AS value
FROM pg_settings
WHERE
    name = ANY(ARRAY[
        'synchronous_commit', 'fsync', 'full_page_writes', 'wal_sync_method', 'wal_level',
        'wal_compression', 'wal_buffers', 'max_wal_size', 'min_wal_size', 'commit_delay',
        'checkpoint_timeout', 'checkpoint_completion_target', 'shared_buffers',
        'effective_cache_size', 'work_mem', 'maintenance_work_mem', 'huge_pages', 'io_method',
        'autovacuum', 'autovacuum_naptime', 'jit', 'max_parallel_workers_per_gather',
        'max_parallel_maintenance_workers', 'random_page_cost', 'data_checksums', 'block_size',
        'track_commit_timestamp', 'max_connections', 'archive_mode'
    ])
    OR (
        source NOT IN ('default', 'override', 'client', 'session')
        AND name !~ '(_file|_directory|_directories|listen_addresses|port|log_|lc_)'
    )
ORDER BY name;

-- name: server_version
SELECT current_setting('server_version');

-- name: table_indexes
-- The indexes of a table, which its leaves have too.
SELECT pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = to_regclass(%(table)s) ORDER BY indexrelid;

-- name: table_rows
-- Exact, by counting; the tables of a bench are small enough.
SELECT
    (SELECT count(*) FROM campaign_events) AS campaign_events,
    (SELECT count(*) FROM campaigns) AS campaigns,
    (SELECT count(*) FROM ingest_batches) AS ingest_batches,
    (SELECT count(*) FROM rejected_events) AS rejected_events,
    (SELECT count(*) FROM campaign_daily_rollup) AS campaign_daily_rollup,
    (SELECT count(*) FROM campaign_weekly_rollup) AS campaign_weekly_rollup,
    (SELECT count(*) FROM campaign_monthly_rollup) AS campaign_monthly_rollup;

-- name: leaf_sizes
SELECT
    count(*) AS leaves, coalesce(sum(pg_relation_size(inhrelid)), 0)::bigint AS table_bytes,
    coalesce(sum(pg_indexes_size(inhrelid)), 0)::bigint AS index_bytes
FROM pg_inherits WHERE inhparent = 'campaign_events'::regclass;

-- name: primary_key_bytes
SELECT coalesce(sum(pg_relation_size(leaf_index.inhrelid)), 0)::bigint
FROM pg_inherits AS leaf_index
INNER JOIN pg_index AS parent_index ON leaf_index.inhparent = parent_index.indexrelid
WHERE parent_index.indrelid = 'campaign_events'::regclass AND parent_index.indisprimary;

-- name: seed_random
SELECT setseed(0.5);

-- name: history_campaigns
INSERT INTO campaigns (campaign_id)
SELECT 'campaign-' || lpad(number::text, 6, '0') FROM generate_series(1, %(campaigns)s) AS number
ORDER BY number;

-- name: history_leaf
-- As create_campaign_events_partition() makes it, but attached only when it is full, since indexes
-- are built several times faster than they grow.
CREATE TABLE {leaf} (LIKE campaign_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS);

-- name: history_events
-- One month: event `number` was published at `since` + number * step, a few seconds after it had
-- happened, and written in batches, each sorted as the writer sorts. The id is a UUIDv7 of its time.
INSERT INTO {leaf} (
    occurred_at, campaign_key, event_id, batch_id, event_count, event_type, email_account_id
)
SELECT
    event.occurred_at,
    event.campaign_key,
    (
        lpad(to_hex((extract(EPOCH FROM event.occurred_at) * 1000)::bigint), 12, '0')
        || '7' || substr(event.noise, 1, 3) || '8' || substr(event.noise, 4, 15)
    )::uuid,
    event.number / %(batch_rows)s + 1,
    1,
    (
        CASE
            WHEN event.chance < 0.62 THEN 'sent'
            WHEN event.chance < 0.87 THEN 'opened'
            WHEN event.chance < 0.92 THEN 'clicked'
            WHEN event.chance < 0.96 THEN 'replied'
            WHEN event.chance < 0.97 THEN 'positive_reply'
            ELSE 'bounced'
        END
    )::campaign_event_type,
    'account-' || (event.campaign_key %% 97) || '@example.com'
FROM (
    SELECT
        number,
        greatest(
            %(since)s + number * %(step)s::interval - -ln(1 - random()) * interval '2 seconds',
            %(month_start)s
        ) AS occurred_at,
        %(first_campaign)s + floor(random() * %(campaigns)s)::integer AS campaign_key,
        random() AS chance,
        md5(number::text) AS noise
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS number
) AS event
ORDER BY event.number / %(batch_rows)s, event.occurred_at, event.campaign_key;

-- name: attach_leaf
ALTER TABLE campaign_events ATTACH PARTITION {leaf} FOR VALUES FROM ({month_start}) TO ({month_end});

-- name: history_ledger
-- One row per batch, dealt out to four partitions, contiguous in each; all of them folded.
INSERT INTO ingest_batches (
    batch_id, topic, topic_id, partition, first_offset, next_offset,
    records, inserted, duplicates, rejected, min_occurred_at, max_occurred_at, ingested_at, folded_at
)
SELECT
    batch_id, %(topic)s, %(topic)s, batch_id %% 4,
    sum(events) OVER earlier - events, sum(events) OVER earlier,
    events, events, 0, 0, since, until, until + interval '1 second', until + interval '2 seconds'
FROM (
    SELECT batch_id, count(*) AS events, min(occurred_at) AS since, max(occurred_at) AS until
    FROM campaign_events GROUP BY batch_id
) AS batch
WINDOW earlier AS (PARTITION BY batch_id %% 4 ORDER BY batch_id)
ORDER BY batch_id;

-- name: history_offsets
INSERT INTO ingest_offsets (
    topic, partition, first_offset, next_offset, cluster_id, topic_id, records, inserted
)
SELECT topic, partition, 0, max(next_offset), topic, topic, sum(records), sum(inserted)
FROM ingest_batches GROUP BY topic, partition;

-- name: history_sequence
SELECT setval('ingest_batch_ids', (SELECT max(batch_id) FROM ingest_batches));

-- name: tables_of_the_refresh
-- What the write path and the refresher write, by name: leaves, ledger, roll-ups.
SELECT relname FROM pg_class
WHERE
    oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'campaign_events'::regclass)
    OR oid = ANY(ARRAY[
        'campaigns', 'ingest_batches', 'ingest_offsets', 'stats_refreshes',
        'campaign_daily_rollup', 'campaign_weekly_rollup', 'campaign_monthly_rollup'
    ]::regclass [])
ORDER BY relname;

-- name: autovacuum_off
ALTER TABLE {table} SET (autovacuum_enabled = false, toast.autovacuum_enabled = false);

-- name: autovacuum_on
ALTER TABLE {table} RESET (autovacuum_enabled, toast.autovacuum_enabled);

-- name: vacuum
-- What autovacuum would have done to the history long ago.
VACUUM (ANALYZE) {table};

-- name: folded_difference
-- How far the daily roll-up is from the events: zero, or the bench measured something else.
SELECT (
    SELECT coalesce(sum(
        coalesce(sent, 0) + coalesce(opened, 0) + coalesce(clicked, 0) + coalesce(replied, 0)
        + coalesce(positive_replies, 0) + coalesce(bounced, 0)
    ), 0) FROM campaign_daily_rollup
) - (SELECT coalesce(sum(event_count), 0) FROM campaign_events);

-- name: drop_primary_key
ALTER TABLE campaign_events DROP CONSTRAINT campaign_events_pkey;

-- name: add_primary_key
ALTER TABLE campaign_events ADD PRIMARY KEY ({first}, {second}, {third});

-- name: campaign_days
-- What a question about one campaign reads; explained, since blocks do not depend on the machine.
EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)
SELECT event_type, sum(event_count) FROM campaign_events
WHERE campaign_key = %(campaign_key)s AND occurred_at >= %(since)s AND occurred_at < %(until)s
GROUP BY event_type;

-- name: migration_ingested
-- Whether everything that the replay published has been ingested.
SELECT coalesce(bool_and(coalesce(stored.next_offset, 0) >= mark.next_offset), false)
FROM replay_watermarks AS mark
LEFT JOIN ingest_offsets AS stored ON stored.topic = %(topic)s AND stored.partition = mark.partition;

-- name: migration_start_again
-- The leaves stay: either side finds them.
TRUNCATE
    replay_state, replay_ranges, replay_watermarks, campaign_attributes, campaigns,
    campaign_events, ingest_offsets, ingest_batches, rejected_events, stats_refreshes,
    campaign_daily_rollup, campaign_weekly_rollup, campaign_monthly_rollup;

-- name: migration_views
-- What a migration in plain SQL would fill instead of the roll-ups.
CREATE MATERIALIZED VIEW straight_daily AS
SELECT
    campaign_key, (occurred_at AT TIME ZONE 'UTC')::date AS event_date,
    max(occurred_at) AS last_activity,
    sum(event_count) FILTER (WHERE event_type = 'sent') AS sent,
    sum(event_count) FILTER (WHERE event_type = 'opened') AS opened,
    sum(event_count) FILTER (WHERE event_type = 'clicked') AS clicked,
    sum(event_count) FILTER (WHERE event_type = 'replied') AS replied,
    sum(event_count) FILTER (WHERE event_type = 'positive_reply') AS positive_replies,
    sum(event_count) FILTER (WHERE event_type = 'bounced') AS bounced
FROM campaign_events GROUP BY 1, 2 WITH NO DATA;
CREATE MATERIALIZED VIEW straight_weekly AS
SELECT
    campaign_key, date_trunc('week', occurred_at AT TIME ZONE 'UTC')::date AS week_start,
    max(occurred_at) AS last_activity,
    sum(event_count) FILTER (WHERE event_type = 'sent') AS sent,
    sum(event_count) FILTER (WHERE event_type = 'opened') AS opened,
    sum(event_count) FILTER (WHERE event_type = 'clicked') AS clicked,
    sum(event_count) FILTER (WHERE event_type = 'replied') AS replied,
    sum(event_count) FILTER (WHERE event_type = 'positive_reply') AS positive_replies,
    sum(event_count) FILTER (WHERE event_type = 'bounced') AS bounced
FROM campaign_events GROUP BY 1, 2 WITH NO DATA;
CREATE MATERIALIZED VIEW straight_monthly AS
SELECT
    campaign_key, date_trunc('month', occurred_at AT TIME ZONE 'UTC')::date AS month_start,
    max(occurred_at) AS last_activity,
    sum(event_count) FILTER (WHERE event_type = 'sent') AS sent,
    sum(event_count) FILTER (WHERE event_type = 'opened') AS opened,
    sum(event_count) FILTER (WHERE event_type = 'clicked') AS clicked,
    sum(event_count) FILTER (WHERE event_type = 'replied') AS replied,
    sum(event_count) FILTER (WHERE event_type = 'positive_reply') AS positive_replies,
    sum(event_count) FILTER (WHERE event_type = 'bounced') AS bounced
FROM campaign_events GROUP BY 1, 2 WITH NO DATA;

-- name: migration_drop_views
DROP MATERIALIZED VIEW straight_daily, straight_weekly, straight_monthly;

-- name: straight_campaigns
INSERT INTO campaigns (campaign_id)
SELECT DISTINCT campaign_id FROM campaign_daily_stat_entries
WHERE sent <> 0 OR opened <> 0 OR clicked <> 0 OR replied <> 0 OR positive_replies <> 0 OR bounced <> 0;

-- name: straight_events
INSERT INTO campaign_events (
    event_id, occurred_at, batch_id, campaign_key, event_count, event_type
)
SELECT
    gen_random_uuid(), entry.stat_date::timestamp AT TIME ZONE 'UTC', 0, campaigns.campaign_key,
    metric.value, metric.event_type::campaign_event_type
FROM campaign_daily_stat_entries AS entry
INNER JOIN campaigns USING (campaign_id)
CROSS JOIN LATERAL (VALUES
    (entry.sent, 'sent'), (entry.opened, 'opened'), (entry.clicked, 'clicked'),
    (entry.replied, 'replied'), (entry.positive_replies, 'positive_reply'),
    (entry.bounced, 'bounced')
) AS metric (value, event_type)
WHERE
    metric.value <> 0
    -- Rows of zeros first of all: three times as fast as taking them apart.
    AND (
        entry.sent <> 0 OR entry.opened <> 0 OR entry.clicked <> 0
        OR entry.replied <> 0 OR entry.positive_replies <> 0 OR entry.bounced <> 0
    )
ORDER BY entry.stat_date, campaigns.campaign_key;

-- name: straight_refresh
REFRESH MATERIALIZED VIEW {view};

-- name: straight_verify
-- How many values the old table and the events do not agree on.
SELECT count(*)
FROM (
    SELECT entry.campaign_id, entry.stat_date, metric.event_type, metric.value
    FROM campaign_daily_stat_entries AS entry
    CROSS JOIN LATERAL (VALUES
        (entry.sent, 'sent'), (entry.opened, 'opened'), (entry.clicked, 'clicked'),
        (entry.replied, 'replied'), (entry.positive_replies, 'positive_reply'),
        (entry.bounced, 'bounced')
    ) AS metric (value, event_type)
    WHERE
        metric.value <> 0
        AND (
            entry.sent <> 0 OR entry.opened <> 0 OR entry.clicked <> 0
            OR entry.replied <> 0 OR entry.positive_replies <> 0 OR entry.bounced <> 0
        )
) AS legacy
FULL JOIN (
    SELECT
        campaigns.campaign_id, (event.occurred_at AT TIME ZONE 'UTC')::date AS stat_date,
        event.event_type::text AS event_type, sum(event.event_count) AS value
    FROM campaign_events AS event
    INNER JOIN campaigns USING (campaign_key)
    GROUP BY 1, 2, 3
) AS found USING (campaign_id, stat_date, event_type)
WHERE legacy.value IS DISTINCT FROM found.value;

-- name: new_storage
-- Everything the new system keeps, with indexes and TOAST, by table; leaves together.
SELECT
    CASE WHEN relname ~ '^campaign_events_\d' THEN 'campaign_events' ELSE relname END AS name,
    sum(pg_total_relation_size(oid))::bigint AS bytes
FROM pg_class
WHERE
    relkind IN ('r', 'p', 'm', 'S') AND relnamespace = current_schema()::regnamespace
    AND relname <> 'campaign_daily_stat_entries'
GROUP BY 1 ORDER BY 2 DESC;

-- name: legacy_storage
SELECT pg_total_relation_size('campaign_daily_stat_entries');

-- name: vacuum_all
VACUUM (ANALYZE);

-- name: dashboard_busiest
-- The busiest campaigns of a month, to ask for.
SELECT campaign_id FROM campaign_monthly_stats
WHERE month_start = %(month)s ORDER BY sent DESC, campaign_id LIMIT %(count)s;

-- name: dashboard_months_old
SELECT
    campaign_id, date_trunc('month', stat_date)::date AS period, sum(sent), sum(opened),
    sum(clicked), sum(replied), sum(positive_replies), sum(bounced)
FROM campaign_daily_stat_entries
WHERE stat_date >= %(two_years_ago)s AND stat_date < %(month_after)s
GROUP BY 1, 2;

-- name: dashboard_months_new
SELECT
    campaign_id, month_start, sent, opened, clicked, replied, positive_replies, bounced
FROM campaign_monthly_stats
WHERE month_start >= %(two_years_ago)s AND month_start < %(month_after)s;

-- name: dashboard_top_old
SELECT campaign_id, sum(sent) AS sent, sum(opened), sum(replied)
FROM campaign_daily_stat_entries
WHERE stat_date >= %(month)s AND stat_date < %(month_after)s
GROUP BY campaign_id ORDER BY sent DESC, campaign_id LIMIT 20;

-- name: dashboard_top_new
SELECT campaign_id, sent, opened, replied
FROM campaign_monthly_stats
WHERE month_start = %(month)s ORDER BY sent DESC, campaign_id LIMIT 20;

-- name: dashboard_totals_old
SELECT
    campaign_id, sum(sent), sum(opened), sum(clicked), sum(replied), sum(positive_replies),
    sum(bounced)
FROM campaign_daily_stat_entries WHERE campaign_id = ANY(%(campaigns)s) GROUP BY campaign_id;

-- name: dashboard_totals_new
SELECT
    campaign_id, sum(sent), sum(opened), sum(clicked), sum(replied), sum(positive_replies),
    sum(bounced)
FROM campaign_monthly_stats WHERE campaign_id = ANY(%(campaigns)s) GROUP BY campaign_id;

-- name: dashboard_days_old
SELECT stat_date, sent, opened, clicked, replied, positive_replies, bounced
FROM campaign_daily_stat_entries
WHERE campaign_id = %(campaign)s AND stat_date >= %(ninety_days_ago)s AND stat_date < %(until)s;

-- name: dashboard_days_new
SELECT event_date, sent, opened, clicked, replied, positive_replies, bounced
FROM campaign_daily_stats
WHERE campaign_id = %(campaign)s AND event_date >= %(ninety_days_ago)s AND event_date < %(until)s;

-- name: peer_table
-- What every peer writes: as campaign_events, but the campaign by name, since not all of them can
-- look a key up, the type as text, and no batch. One index fewer than ours has: it leans towards
-- the peers.
CREATE TABLE peer_events (
    event_id uuid NOT NULL,
    campaign_id text COLLATE "C" NOT NULL,
    event_type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (occurred_at, campaign_id, event_id)
) PARTITION BY RANGE (occurred_at);

-- name: peer_leaf
CREATE TABLE {leaf} PARTITION OF peer_events FOR VALUES FROM ({month_start}) TO ({month_end});

-- name: peer_insert
INSERT INTO peer_events (event_id, campaign_id, event_type, occurred_at)
VALUES (%(event_id)s, %(campaign_id)s, %(event_type)s, %(occurred_at)s)
ON CONFLICT DO NOTHING;

-- name: peer_has_rows
SELECT EXISTS (SELECT FROM peer_events);

-- name: peer_bytes
-- Grows while a peer writes; costs nothing to ask.
SELECT coalesce(sum(pg_relation_size(inhrelid)), 0)::bigint
FROM pg_inherits WHERE inhparent = 'peer_events'::regclass;

-- name: peer_count
SELECT count(*) FROM peer_events;

-- name: refresh_views_indexes
-- REFRESH … CONCURRENTLY compares row by row and needs a unique index.
CREATE UNIQUE INDEX ON straight_daily (campaign_key, event_date);
CREATE UNIQUE INDEX ON straight_weekly (campaign_key, week_start);
CREATE UNIQUE INDEX ON straight_monthly (campaign_key, month_start);

-- name: refresh_view_concurrently
REFRESH MATERIALIZED VIEW CONCURRENTLY {view};

-- name: refresh_views_difference
-- How far the view is from the daily roll-up.
SELECT (SELECT sum(sent) FROM straight_daily) - (SELECT sum(sent) FROM campaign_daily_rollup);

-- name: stored_records
SELECT coalesce(sum(records), 0)::bigint FROM ingest_offsets;

-- name: probe_visible
-- What a dashboard reads: how many markers of this campaign have arrived there.
SELECT coalesce(sum(sent), 0)::bigint FROM campaign_daily_stats WHERE campaign_id = %(campaign)s;

-- name: read_function_days
SELECT * FROM get_campaign_stats(ARRAY[%(campaign)s]::text [], %(ninety_days_ago)s, %(until)s, 'day');

-- name: read_function_months
SELECT * FROM get_campaign_stats(null, %(two_years_ago)s, %(until)s, 'month');

-- name: read_view_days
SELECT * FROM campaign_daily_stats
WHERE campaign_id = %(campaign)s AND event_date BETWEEN %(ninety_days_ago)s AND %(until)s;

-- name: read_view_top
SELECT * FROM campaign_monthly_stats
WHERE month_start = date_trunc('month', %(until)s::date)
ORDER BY sent DESC, campaign_id LIMIT 20;

-- name: bare_table
-- The columns of campaign_events without index, partition or constraint: the floor of a COPY.
CREATE TABLE bare_events AS SELECT * FROM campaign_events WITH NO DATA;

-- name: count_topics
SELECT count(DISTINCT topic) FROM ingest_offsets;

-- name: browsing_records
SELECT coalesce(sum(records), 0)::bigint FROM ingest_offsets WHERE topic = %(topic)s;
