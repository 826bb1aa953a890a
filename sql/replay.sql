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
    {admin_uuid}::text AS admin_uuid, {campaign_id_int}::bigint AS campaign_id_int,
    -- Without coalesce, which would be computed for millions of rows of zeros: null is not true.
    (
        {sent} <> 0 OR {opened} <> 0 OR {clicked} <> 0
        OR {replied} <> 0 OR {positive_replies} <> 0 OR {bounced} <> 0
    ) AS has_value
FROM {table};

-- name: gather_entries
-- What a run has to do with, from one scan: the rows with a value, and those without a date so that
-- they can be told. Of this session; as it was when the run began.
CREATE TEMPORARY TABLE replay_entries AS
SELECT
    legacy.row_id, legacy.campaign_id, legacy.stat_date,
    legacy.sent, legacy.opened, legacy.clicked,
    legacy.replied, legacy.positive_replies, legacy.bounced, legacy.has_value
FROM ({legacy}) AS legacy
WHERE legacy.has_value AND (legacy.stat_date < {until} OR legacy.stat_date IS NULL)
ORDER BY legacy.stat_date;

-- name: index_entries
CREATE INDEX ON replay_entries (stat_date);

-- name: gathered_entries
SELECT
    row_id, campaign_id, stat_date, sent, opened, clicked, replied, positive_replies, bounced,
    has_value
FROM replay_entries;

-- name: entries_between
SELECT
    row_id, campaign_id, stat_date, sent, opened, clicked, replied, positive_replies, bounced
FROM replay_entries
WHERE stat_date >= %(first)s AND stat_date < %(until)s
ORDER BY stat_date;

-- name: keys_of_table
-- The columns of each index that holds every row in the order in which they compare.
SELECT
    array_agg(attribute.attname::text ORDER BY part.place) AS column_names,
    bool_and(key.indisunique AND key.indimmediate) AS is_unique
FROM pg_index AS key
INNER JOIN pg_class AS index_class ON key.indexrelid = index_class.oid
INNER JOIN pg_am AS method ON index_class.relam = method.oid AND method.amname = 'btree'
CROSS JOIN LATERAL unnest(key.indkey, key.indclass, key.indcollation)
    WITH ORDINALITY AS part (attnum, opclass, collation_id, place)
INNER JOIN pg_attribute AS attribute
    ON key.indrelid = attribute.attrelid AND part.attnum = attribute.attnum
INNER JOIN pg_opclass AS opclass ON part.opclass = opclass.oid
WHERE
    key.indrelid = to_regclass(format('%%I.%%I', %(schema)s::text, %(name)s::text))
    AND key.indisvalid AND key.indpred IS NULL AND key.indexprs IS NULL
    AND part.place <= key.indnkeyatts
GROUP BY key.indexrelid
HAVING bool_and(opclass.opcdefault AND part.collation_id = attribute.attcollation);

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

-- name: latest_attributes
-- Of a campaign's latest day. Apart from the INSERT, which would forbid parallel workers.
SELECT DISTINCT ON (legacy.campaign_id)
    legacy.campaign_id, legacy.admin_uuid, legacy.campaign_id_int
FROM (
    SELECT entry.campaign_id, max(entry.stat_date) AS stat_date
    FROM ({legacy}) AS entry
    WHERE entry.campaign_id IS NOT NULL AND entry.stat_date IS NOT NULL
    GROUP BY entry.campaign_id
) AS latest
INNER JOIN ({legacy}) AS legacy USING (campaign_id, stat_date)
ORDER BY legacy.campaign_id, legacy.row_id;

-- name: latest_attributes_by_key
-- The same where an index begins with campaign and day: from one campaign to the next, without
-- looking at what lies between.
WITH RECURSIVE campaign AS (
    (
        SELECT legacy.campaign_id FROM ({legacy}) AS legacy
        WHERE legacy.campaign_id IS NOT NULL ORDER BY legacy.campaign_id LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT legacy.campaign_id FROM ({legacy}) AS legacy
        WHERE legacy.campaign_id > campaign.campaign_id ORDER BY legacy.campaign_id LIMIT 1
    ) AS campaign_id
    FROM campaign
    WHERE campaign.campaign_id IS NOT NULL
)
SELECT campaign.campaign_id, latest.admin_uuid, latest.campaign_id_int
FROM campaign
CROSS JOIN LATERAL (
    SELECT legacy.admin_uuid, legacy.campaign_id_int FROM ({legacy}) AS legacy
    WHERE legacy.campaign_id = campaign.campaign_id AND legacy.stat_date IS NOT NULL
    ORDER BY legacy.stat_date DESC, legacy.row_id ASC LIMIT 1
) AS latest
ORDER BY campaign.campaign_id;

-- name: fill_attributes
INSERT INTO campaign_attributes AS known (campaign_id, admin_uuid, campaign_id_int)
SELECT campaign_id, admin_uuid, campaign_id_int
FROM unnest(%(campaign_ids)s::text [], %(admin_uuids)s::text [], %(ints)s::bigint [])
    AS new (campaign_id, admin_uuid, campaign_id_int)
ON CONFLICT (campaign_id) DO UPDATE SET
    admin_uuid = excluded.admin_uuid, campaign_id_int = excluded.campaign_id_int
WHERE (known.admin_uuid, known.campaign_id_int)
    IS DISTINCT FROM (excluded.admin_uuid, excluded.campaign_id_int);

-- name: legacy_days
-- Days before the cut that have a value: how many rows, and how many events they become.
SELECT legacy.stat_date, count(*) AS rows, sum(
    (legacy.sent <> 0)::integer + (legacy.opened <> 0)::integer
    + (legacy.clicked <> 0)::integer + (legacy.replied <> 0)::integer
    + (legacy.positive_replies <> 0)::integer + (legacy.bounced <> 0)::integer
)::bigint AS events
FROM ({legacy}) AS legacy
WHERE
    legacy.stat_date < %(until)s
    AND legacy.has_value
GROUP BY legacy.stat_date ORDER BY legacy.stat_date;

-- name: legacy_months
-- Everything by month and side of the cut, in one pass. Months are text, so that a date no calendar
-- of ours has (infinity, before Christ) can be told too.
SELECT
    to_char(legacy.stat_date, 'YYYY-MM') AS month,
    legacy.stat_date < %(until)s AS before_cut,
    count(*) AS rows,
    count(*) FILTER (
        WHERE legacy.has_value
    ) AS rows_with_value,
    count(*) FILTER (WHERE legacy.sent <> 0) AS sent_events,
    count(*) FILTER (WHERE legacy.opened <> 0) AS opened_events,
    count(*) FILTER (WHERE legacy.clicked <> 0) AS clicked_events,
    count(*) FILTER (WHERE legacy.replied <> 0) AS replied_events,
    count(*) FILTER (WHERE legacy.positive_replies <> 0) AS positive_replies_events,
    count(*) FILTER (WHERE legacy.bounced <> 0) AS bounced_events,
    sum(legacy.sent) AS sent,
    sum(legacy.opened) AS opened,
    sum(legacy.clicked) AS clicked,
    sum(legacy.replied) AS replied,
    sum(legacy.positive_replies) AS positive_replies,
    sum(legacy.bounced) AS bounced
FROM ({legacy}) AS legacy
GROUP BY 1, 2 ORDER BY 1, 2;

-- name: legacy_problems
-- Rows with a value that cannot become events, by what is wrong, with some of their ids. Only rows
-- with a value matter: a row of zeros becomes nothing. They are set apart first, in one pass, since
-- they are few: grouping by way of the old table's indexes takes ten times as long.
WITH entry AS MATERIALIZED (
    SELECT
        legacy.row_id, legacy.campaign_id, legacy.stat_date,
        least(
            legacy.sent, legacy.opened, legacy.clicked,
            legacy.replied, legacy.positive_replies, legacy.bounced
        ) AS smallest,
        greatest(
            legacy.sent, legacy.opened, legacy.clicked,
            legacy.replied, legacy.positive_replies, legacy.bounced
        ) AS largest
    FROM ({legacy}) AS legacy
    WHERE
        (legacy.stat_date < %(until)s OR legacy.stat_date IS NULL)
        AND legacy.has_value
),
faulty AS (
    SELECT problem.kind, entry.row_id
    FROM entry
    CROSS JOIN LATERAL (
        VALUES
        ('null_id', entry.row_id IS NULL),
        ('null_date', entry.stat_date IS NULL),
        ('outside_window', entry.stat_date < %(window_start)s),
        ('no_campaign', coalesce(entry.campaign_id, '') = ''),
        ('campaign_too_long', char_length(entry.campaign_id) > 255),
        ('negative', entry.smallest < 0),
        ('too_large', entry.largest > 2147483647)
    ) AS problem (kind, applies)
    WHERE
        -- Hardly any row has a problem: the others are not taken apart.
        NOT coalesce(
            entry.row_id IS NOT NULL AND entry.stat_date >= %(window_start)s
            AND char_length(entry.campaign_id) BETWEEN 1 AND 255
            AND entry.smallest >= 0 AND entry.largest <= 2147483647, false
        )
        AND problem.applies
    UNION ALL
    SELECT 'repeated_id' AS kind, row_id FROM entry
    WHERE NOT %(ids_unique)s GROUP BY row_id HAVING count(row_id) > 1
    UNION ALL
    SELECT 'repeated_day' AS kind, min(row_id) AS row_id FROM entry
    WHERE NOT %(days_unique)s GROUP BY campaign_id, stat_date HAVING count(stat_date) > 1
)
SELECT
    kind, count(*) AS rows,
    (array_agg(coalesce(row_id, '(null)') ORDER BY row_id))[1:5] AS examples
FROM faulty GROUP BY kind ORDER BY kind;

-- name: live_before_cut
-- Live events that happened before the cut, by day: late ones, or days that both sides count.
SELECT (occurred_at AT TIME ZONE 'UTC')::date AS day, count(*) AS events
FROM campaign_events
WHERE occurred_at < %(cut)s AND substring(uuid_send(event_id) FROM 7 FOR 4) <> %(tag)s
GROUP BY 1 ORDER BY 1;

-- name: live_in_time
-- Whether a live event had been ingested when the day of the cut began.
SELECT EXISTS(
    SELECT 1
    FROM ingest_batches AS batch
    CROSS JOIN LATERAL unnest(
        coalesce(batch.merged_batch_ids, ARRAY[batch.batch_id])
    ) AS one (batch_id)
    INNER JOIN campaign_events AS event ON event.batch_id = one.batch_id
    WHERE
        batch.ingested_at < %(cut)s
        AND substring(uuid_send(event.event_id) FROM 7 FOR 4) <> %(tag)s
) AS in_time;

-- name: replay_floor
SELECT CASE WHEN isfinite(floor_date) THEN floor_date END AS floor_date FROM retention_floor;

-- name: existing_leaves
SELECT right(leaf.relname, 7) AS month
FROM pg_inherits
INNER JOIN pg_class AS leaf ON pg_inherits.inhrelid = leaf.oid
WHERE pg_inherits.inhparent = 'campaign_events'::regclass;

-- name: database_clock
SELECT clock_timestamp() AS now;
