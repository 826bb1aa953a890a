-- The statements of the replay, by name. `{legacy}` stands for legacy_entries: the old table's rows
-- under our names, whatever its columns are called.

-- name: find_table
-- Through the search path, as an application finds it.
SELECT pg_namespace.nspname AS schema_name, pg_class.relkind AS kind, pg_class.oid
FROM pg_class
INNER JOIN pg_namespace ON pg_class.relnamespace = pg_namespace.oid
WHERE pg_class.oid = to_regclass(quote_ident(%(name)s));

-- name: columns_of_table
SELECT attname, format_type(atttypid, NULL) AS type_name
FROM pg_attribute WHERE attrelid = %(oid)s AND attnum > 0 AND NOT attisdropped;

-- name: legacy_entries
-- Casts that change nothing where the column already has the type, so that its indexes still serve.
SELECT
    {id}::text AS row_id, {campaign_id}::text AS campaign_id, {stat_date}::date AS stat_date,
    coalesce({sent}, 0)::bigint AS sent, coalesce({opened}, 0)::bigint AS opened,
    coalesce({clicked}, 0)::bigint AS clicked, coalesce({replied}, 0)::bigint AS replied,
    coalesce({positive_replies}, 0)::bigint AS positive_replies,
    coalesce({bounced}, 0)::bigint AS bounced,
    {admin_uuid}::text AS admin_uuid, {campaign_id_int}::bigint AS campaign_id_int
FROM {table};

-- name: legacy_rows_between
SELECT
    legacy.row_id, legacy.campaign_id, legacy.stat_date,
    legacy.sent, legacy.opened, legacy.clicked,
    legacy.replied, legacy.positive_replies, legacy.bounced
FROM ({legacy}) AS legacy
WHERE
    legacy.stat_date >= %(first)s AND legacy.stat_date < %(until)s
    AND (
        legacy.sent <> 0 OR legacy.opened <> 0 OR legacy.clicked <> 0
        OR legacy.replied <> 0 OR legacy.positive_replies <> 0 OR legacy.bounced <> 0
    )
ORDER BY legacy.stat_date, legacy.row_id;

-- name: replay_state
SELECT cut_date, legacy_table, topic, cluster_id, topic_id, started_at FROM replay_state;

-- name: start_replay
-- A second first run waits here until the first one has committed, and then writes nothing.
INSERT INTO replay_state (cut_date, legacy_table, topic, cluster_id, topic_id)
VALUES (%(cut_date)s, %(legacy_table)s, %(topic)s, %(cluster_id)s, %(topic_id)s)
ON CONFLICT (only_row) DO NOTHING;

-- name: plan_range
INSERT INTO replay_ranges (first_date, end_date, planned_rows, planned_events)
VALUES (%(first)s, %(until)s, %(rows)s, %(events)s);

-- name: claim_range
-- The lock is the claim, and it dies with its holder's transaction.
SELECT first_date, end_date, planned_rows, planned_events
FROM replay_ranges WHERE acknowledged_at IS NULL
ORDER BY first_date LIMIT 1 FOR UPDATE SKIP LOCKED;

-- name: acknowledge_range
UPDATE replay_ranges SET
    rows = %(rows)s,
    events = %(events)s,
    sent = %(sent)s,
    opened = %(opened)s,
    clicked = %(clicked)s,
    replied = %(replied)s,
    positive_replies = %(positive_replies)s,
    bounced = %(bounced)s,
    published_at = %(published_at)s,
    acknowledged_at = clock_timestamp()
WHERE first_date = %(first)s;

-- name: raise_watermarks
-- Sorted: two runs take their locks in one order.
INSERT INTO replay_watermarks AS known (partition, next_offset)
SELECT partition, next_offset
FROM unnest(%(partitions)s::integer [], %(next_offsets)s::bigint []) AS new (partition, next_offset)
ORDER BY partition
ON CONFLICT (partition) DO UPDATE SET
    next_offset = excluded.next_offset, updated_at = clock_timestamp()
WHERE known.next_offset < excluded.next_offset;

-- name: replay_watermarks
SELECT partition, next_offset FROM replay_watermarks ORDER BY partition;

-- name: ledger_totals
SELECT
    count(*) AS ranges,
    count(acknowledged_at) AS ranges_acknowledged,
    coalesce(sum(planned_rows), 0) AS planned_rows,
    coalesce(sum(planned_events), 0) AS planned_events,
    coalesce(sum(rows), 0) AS rows,
    coalesce(sum(events), 0) AS events,
    coalesce(sum(sent), 0) AS sent,
    coalesce(sum(opened), 0) AS opened,
    coalesce(sum(clicked), 0) AS clicked,
    coalesce(sum(replied), 0) AS replied,
    coalesce(sum(positive_replies), 0) AS positive_replies,
    coalesce(sum(bounced), 0) AS bounced
FROM replay_ranges;

-- name: ingested_to
SELECT partition, next_offset FROM ingest_offsets WHERE topic = %(topic)s;

-- name: fill_attributes
-- Of a campaign's latest day. One pass over the table and no sort of it: the latest row of each
-- campaign is found by comparing whole rows.
INSERT INTO campaign_attributes AS known (campaign_id, admin_uuid, campaign_id_int)
SELECT
    latest.campaign_id,
    latest.entry[2] AS admin_uuid,
    latest.entry[3]::bigint AS campaign_id_int
FROM (
    SELECT
        legacy.campaign_id,
        max(ARRAY[
            to_char(legacy.stat_date, 'YYYYMMDD'), legacy.admin_uuid, legacy.campaign_id_int::text
        ]) AS entry
    FROM ({legacy}) AS legacy
    WHERE legacy.campaign_id IS NOT NULL AND legacy.stat_date IS NOT NULL
    GROUP BY legacy.campaign_id
) AS latest
ORDER BY latest.campaign_id
ON CONFLICT (campaign_id) DO UPDATE SET
    admin_uuid = excluded.admin_uuid, campaign_id_int = excluded.campaign_id_int
WHERE (known.admin_uuid, known.campaign_id_int)
    IS DISTINCT FROM (excluded.admin_uuid, excluded.campaign_id_int);
