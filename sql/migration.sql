-- The statements of the migration's second half: proofs, corrections, and the swap of names.
-- {legacy} stands for the old table's rows under our names, as in replay.sql.

-- name: repeatable_read
SET LOCAL transaction_isolation = 'repeatable read';

-- name: read_only
SET LOCAL transaction_read_only = on;

-- name: sorting
-- Off while checksums are computed: a planner that expects as many groups as rows would sort all
-- rows on disk, where there are some hundred groups.
SELECT set_config('enable_sort', %(allowed)s, true);

-- name: legacy_checksums
-- One row per month and metric, from one scan: nothing is sorted or joined, so memory is bounded
-- by the days. Days are added up first: their dates are there, months would be computed row by row.
SELECT
    date_trunc('month', of_day.stat_date::timestamp)::date AS month,
    metric.name AS metric, sum(metric.total)::bigint AS total,
    coalesce(sum(metric.checksum), 0) AS checksum
FROM (
    SELECT
        legacy.stat_date,
        sum(legacy.sent) AS sent,
        sum(
            CASE WHEN legacy.sent <> 0 THEN
                legacy.sent
                * replay_value_hash(legacy.campaign_id, legacy.stat_date, %(seed)s)::numeric
            END
        ) AS sent_weighed,
        sum(legacy.opened) AS opened,
        sum(
            CASE WHEN legacy.opened <> 0 THEN
                legacy.opened
                * replay_value_hash(legacy.campaign_id, legacy.stat_date, %(seed)s)::numeric
            END
        ) AS opened_weighed,
        sum(legacy.clicked) AS clicked,
        sum(
            CASE WHEN legacy.clicked <> 0 THEN
                legacy.clicked
                * replay_value_hash(legacy.campaign_id, legacy.stat_date, %(seed)s)::numeric
            END
        ) AS clicked_weighed,
        sum(legacy.replied) AS replied,
        sum(
            CASE WHEN legacy.replied <> 0 THEN
                legacy.replied
                * replay_value_hash(legacy.campaign_id, legacy.stat_date, %(seed)s)::numeric
            END
        ) AS replied_weighed,
        sum(legacy.positive_replies) AS positive_replies,
        sum(
            CASE WHEN legacy.positive_replies <> 0 THEN
                legacy.positive_replies
                * replay_value_hash(legacy.campaign_id, legacy.stat_date, %(seed)s)::numeric
            END
        ) AS positive_replies_weighed,
        sum(legacy.bounced) AS bounced,
        sum(
            CASE WHEN legacy.bounced <> 0 THEN
                legacy.bounced
                * replay_value_hash(legacy.campaign_id, legacy.stat_date, %(seed)s)::numeric
            END
        ) AS bounced_weighed
    FROM ({legacy}) AS legacy
    WHERE
        legacy.has_value AND legacy.stat_date < %(until)s
        AND legacy.stat_date >= coalesce(%(since)s::date, '-infinity')
    GROUP BY legacy.stat_date
) AS of_day
CROSS JOIN LATERAL (VALUES
    ('sent', of_day.sent, of_day.sent_weighed),
    ('opened', of_day.opened, of_day.opened_weighed),
    ('clicked', of_day.clicked, of_day.clicked_weighed),
    ('replied', of_day.replied, of_day.replied_weighed),
    ('positive_replies', of_day.positive_replies, of_day.positive_replies_weighed),
    ('bounced', of_day.bounced, of_day.bounced_weighed)
) AS metric (name, total, checksum)
WHERE metric.total <> 0 OR metric.checksum IS NOT NULL
GROUP BY 1, 2;

-- name: event_checksums
-- Events before the cut by whether they are replayed, and folded: each proof takes what it needs.
-- Bytes 6 to 9 of a replayed id are ingester.event.REPLAY_TAG.
SELECT
    date_trunc('month', of_day.day::timestamp)::date AS month,
    CASE of_day.event_type
        WHEN 'positive_reply' THEN 'positive_replies' ELSE of_day.event_type::text
    END AS metric,
    of_day.replayed, of_day.folded,
    sum(of_day.total)::bigint AS total, coalesce(sum(of_day.checksum), 0) AS checksum
FROM (
    SELECT
        (event.occurred_at AT TIME ZONE 'UTC')::date AS day, event.event_type,
        substring(uuid_send(event.event_id) FROM 7 FOR 4) = '\x8ca39a17' AS replayed,
        event.batch_id NOT IN (
            SELECT unfolded.batch_id FROM ingest_batches AS unfolded
            WHERE unfolded.folded_at IS NULL
        ) AS folded,
        sum(event.event_count) AS total,
        sum(
            event.event_count * replay_value_hash(
                campaigns.campaign_id, (event.occurred_at AT TIME ZONE 'UTC')::date, %(seed)s
            )::numeric
        ) AS checksum
    FROM campaign_events AS event
    INNER JOIN campaigns ON event.campaign_key = campaigns.campaign_key
    WHERE
        event.occurred_at < %(until)s::timestamp AT TIME ZONE 'UTC'
        AND event.occurred_at
        >= coalesce(%(since)s::timestamp AT TIME ZONE 'UTC', '-infinity')
    GROUP BY 1, 2, 3, 4
) AS of_day
GROUP BY 1, 2, 3, 4;

-- name: view_checksums
-- What dashboards are told, read from the view itself.
SELECT
    date_trunc('month', of_day.event_date::timestamp)::date AS month,
    metric.name AS metric, sum(metric.total)::bigint AS total,
    coalesce(sum(metric.checksum), 0) AS checksum
FROM (
    SELECT
        stats.event_date,
        sum(stats.sent) AS sent,
        sum(
            CASE WHEN stats.sent <> 0 THEN
                stats.sent
                * replay_value_hash(stats.campaign_id, stats.event_date, %(seed)s)::numeric
            END
        ) AS sent_weighed,
        sum(stats.opened) AS opened,
        sum(
            CASE WHEN stats.opened <> 0 THEN
                stats.opened
                * replay_value_hash(stats.campaign_id, stats.event_date, %(seed)s)::numeric
            END
        ) AS opened_weighed,
        sum(stats.clicked) AS clicked,
        sum(
            CASE WHEN stats.clicked <> 0 THEN
                stats.clicked
                * replay_value_hash(stats.campaign_id, stats.event_date, %(seed)s)::numeric
            END
        ) AS clicked_weighed,
        sum(stats.replied) AS replied,
        sum(
            CASE WHEN stats.replied <> 0 THEN
                stats.replied
                * replay_value_hash(stats.campaign_id, stats.event_date, %(seed)s)::numeric
            END
        ) AS replied_weighed,
        sum(stats.positive_replies) AS positive_replies,
        sum(
            CASE WHEN stats.positive_replies <> 0 THEN
                stats.positive_replies
                * replay_value_hash(stats.campaign_id, stats.event_date, %(seed)s)::numeric
            END
        ) AS positive_replies_weighed,
        sum(stats.bounced) AS bounced,
        sum(
            CASE WHEN stats.bounced <> 0 THEN
                stats.bounced
                * replay_value_hash(stats.campaign_id, stats.event_date, %(seed)s)::numeric
            END
        ) AS bounced_weighed
    FROM campaign_daily_stats AS stats
    WHERE
        stats.event_date < %(until)s
        AND stats.event_date >= coalesce(%(since)s::date, '-infinity')
    GROUP BY stats.event_date
) AS of_day
CROSS JOIN LATERAL (VALUES
    ('sent', of_day.sent, of_day.sent_weighed),
    ('opened', of_day.opened, of_day.opened_weighed),
    ('clicked', of_day.clicked, of_day.clicked_weighed),
    ('replied', of_day.replied, of_day.replied_weighed),
    ('positive_replies', of_day.positive_replies, of_day.positive_replies_weighed),
    ('bounced', of_day.bounced, of_day.bounced_weighed)
) AS metric (name, total, checksum)
WHERE metric.total <> 0 OR metric.checksum IS NOT NULL
GROUP BY 1, 2;

-- name: legacy_differences
-- Of one month: every campaign, day and metric whose legacy value is not the sum of its
-- replayed events. The row is looked up again by its key, since one whose values are all zero is
-- still a row.
WITH legacy_value AS (
    SELECT
        legacy.campaign_id::text COLLATE "C" AS campaign_id, legacy.stat_date AS day,
        weighed.metric, sum(weighed.value)::bigint AS value
    FROM ({legacy}) AS legacy
    CROSS JOIN LATERAL (VALUES
        ('sent', legacy.sent), ('opened', legacy.opened), ('clicked', legacy.clicked),
        ('replied', legacy.replied), ('positive_replies', legacy.positive_replies),
        ('bounced', legacy.bounced)
    ) AS weighed (metric, value)
    WHERE
        legacy.stat_date >= greatest(%(month)s, coalesce(%(since)s::date, '-infinity'))
        AND legacy.stat_date < least(%(month)s + interval '1 month', %(until)s)
        AND legacy.has_value AND weighed.value <> 0
    GROUP BY 1, 2, 3
),

event_value AS (
    SELECT
        campaigns.campaign_id, (event.occurred_at AT TIME ZONE 'UTC')::date AS day,
        CASE event.event_type
            WHEN 'positive_reply' THEN 'positive_replies' ELSE event.event_type::text
        END AS metric,
        sum(event.event_count)::bigint AS value,
        array_agg(DISTINCT event.batch_id) AS batch_ids,
        array_agg(event.event_id ORDER BY event.event_id) AS event_ids
    FROM campaign_events AS event
    INNER JOIN campaigns ON event.campaign_key = campaigns.campaign_key
    WHERE
        event.occurred_at
        >= greatest(%(month)s, coalesce(%(since)s::date, '-infinity'))::timestamp AT TIME ZONE 'UTC'
        AND event.occurred_at
        < least(%(month)s + interval '1 month', %(until)s)::timestamp AT TIME ZONE 'UTC'
        AND substring(uuid_send(event.event_id) FROM 7 FOR 4) = '\x8ca39a17'
    GROUP BY 1, 2, 3
)

SELECT
    differing.campaign_id, differing.day, differing.metric, differing.expected, differing.found,
    holder.row_id, differing.batch_ids, differing.event_ids
FROM (
    SELECT
        campaign_id, day, metric,
        coalesce(legacy_value.value, 0) AS expected, coalesce(event_value.value, 0) AS found,
        event_value.batch_ids, event_value.event_ids
    FROM legacy_value
    FULL JOIN event_value USING (campaign_id, day, metric)
) AS differing
LEFT JOIN LATERAL (
    SELECT min(legacy.row_id) AS row_id FROM ({legacy}) AS legacy
    WHERE
        legacy.campaign_id = differing.campaign_id COLLATE "default"
        AND legacy.stat_date = differing.day
) AS holder ON true
WHERE differing.expected <> differing.found
ORDER BY differing.campaign_id, differing.day, differing.metric;

-- name: view_differences
-- Of one month: every campaign, day and metric whose statistics are not the sum of its folded
-- events, live ones included.
WITH view_value AS (
    SELECT day.campaign_id, day.event_date AS day, weighed.metric, weighed.value
    FROM campaign_daily_stats AS day
    CROSS JOIN LATERAL (VALUES
        ('sent', day.sent), ('opened', day.opened), ('clicked', day.clicked),
        ('replied', day.replied), ('positive_replies', day.positive_replies),
        ('bounced', day.bounced)
    ) AS weighed (metric, value)
    WHERE
        day.event_date >= greatest(%(month)s, coalesce(%(since)s::date, '-infinity'))
        AND day.event_date < least(%(month)s + interval '1 month', %(until)s)
        AND weighed.value <> 0
),

event_value AS (
    SELECT
        campaigns.campaign_id, (event.occurred_at AT TIME ZONE 'UTC')::date AS day,
        CASE event.event_type
            WHEN 'positive_reply' THEN 'positive_replies' ELSE event.event_type::text
        END AS metric,
        sum(event.event_count)::bigint AS value,
        array_agg(DISTINCT event.batch_id) AS batch_ids
    FROM campaign_events AS event
    INNER JOIN campaigns ON event.campaign_key = campaigns.campaign_key
    WHERE
        event.occurred_at
        >= greatest(%(month)s, coalesce(%(since)s::date, '-infinity'))::timestamp AT TIME ZONE 'UTC'
        AND event.occurred_at
        < least(%(month)s + interval '1 month', %(until)s)::timestamp AT TIME ZONE 'UTC'
        AND event.batch_id NOT IN (
            SELECT unfolded.batch_id FROM ingest_batches AS unfolded
            WHERE unfolded.folded_at IS NULL
        )
    GROUP BY 1, 2, 3
)

SELECT
    campaign_id, day, metric,
    coalesce(event_value.value, 0) AS expected, coalesce(view_value.value, 0) AS found,
    NULL::text AS row_id, event_value.batch_ids, NULL::uuid [] AS event_ids
FROM view_value
FULL JOIN event_value USING (campaign_id, day, metric)
WHERE coalesce(view_value.value, 0) <> coalesce(event_value.value, 0)
ORDER BY campaign_id, day, metric;

-- name: batch_places
-- Where the events of some batches came from.
SELECT place.batch_id, place.topic, place.partition, place.first_offset, place.next_offset
FROM (
    SELECT
        topic, partition, first_offset, next_offset,
        unnest(coalesce(merged_batch_ids, ARRAY[batch_id])) AS batch_id
    FROM ingest_batches
) AS place
WHERE place.batch_id = ANY(%(batch_ids)s) AND place.topic IS NOT NULL;

-- name: replay_progress
-- The cut, and whether all of the replay's ledger is acknowledged; no row before the first run.
SELECT
    state.cut_date, state.topic, state.cluster_id, state.topic_id,
    (SELECT CASE WHEN isfinite(floor_date) THEN floor_date END FROM retention_floor) AS floor,
    count(ledger.first_date) AS ranges,
    count(ledger.first_date) FILTER (WHERE ledger.acknowledged_at IS NULL) AS ranges_open,
    coalesce(sum(ledger.events), 0)::bigint AS events
FROM replay_state AS state
LEFT JOIN replay_ranges AS ledger ON true
GROUP BY state.cut_date, state.topic, state.cluster_id, state.topic_id;

-- name: watermark
-- How far the topic had been read when the snapshot was taken.
SELECT
    topic, partition, next_offset,
    (SELECT count(*) FROM ingest_batches WHERE folded_at IS NULL) AS unfolded_batches
FROM ingest_offsets ORDER BY topic, partition;

-- name: not_yet_ingested
-- Partitions whose acknowledged replay events are not all stored, and how many records lie between.
SELECT
    acknowledged.partition, acknowledged.next_offset AS acknowledged,
    coalesce(stored.next_offset, 0) AS stored
FROM replay_watermarks AS acknowledged
CROSS JOIN replay_state AS state
LEFT JOIN ingest_offsets AS stored
    ON state.topic = stored.topic AND acknowledged.partition = stored.partition
WHERE coalesce(stored.next_offset, 0) < acknowledged.next_offset
ORDER BY acknowledged.partition;

-- name: not_yet_folded
-- Batches of the replay's topic that may hold acknowledged replay events and are not in the
-- statistics yet.
SELECT count(*) AS batches
FROM ingest_batches AS ledger
INNER JOIN replay_state AS state ON ledger.topic = state.topic
INNER JOIN replay_watermarks AS acknowledged ON ledger.partition = acknowledged.partition
WHERE ledger.folded_at IS NULL AND ledger.first_offset < acknowledged.next_offset;

-- name: replay_rejects
-- Replayed events that were refused: their count, and the first few by place. The tag stands in the
-- text of the id, of which our publisher writes the hyphens and lower case.
SELECT
    topic, partition, "offset", reason_code, count(*) OVER () AS total
FROM rejected_events
WHERE state = 'new' AND position('\x2d386361332d396131372d'::bytea IN value) > 0
ORDER BY reject_id LIMIT 5;

-- name: lock_corrections
-- One planner of corrections at a time. As the transaction's first statement, so that the snapshot
-- that follows sees what the one before has planned.
LOCK TABLE replay_corrections IN SHARE ROW EXCLUSIVE MODE;

-- name: plan_corrections
-- The revision counts per key, so that the id of a correction is new even where the row is not.
INSERT INTO replay_corrections
(campaign_id, stat_date, metric, revision, row_id, delta, event_id)
VALUES (
    %(campaign_id)s, %(stat_date)s, %(metric)s, %(revision)s, %(row_id)s, %(delta)s,
    %(event_id)s
);

-- name: last_revisions
SELECT campaign_id, stat_date, metric, max(revision) AS revision
FROM replay_corrections WHERE stat_date >= %(month)s AND stat_date < %(month)s + interval '1 month'
GROUP BY campaign_id, stat_date, metric;

-- name: unacknowledged_corrections
SELECT campaign_id, stat_date, metric, revision, row_id, delta, event_id
FROM replay_corrections WHERE acknowledged_at IS NULL
ORDER BY campaign_id, stat_date, metric, revision LIMIT %(rows_max)s;

-- name: acknowledge_corrections
UPDATE replay_corrections SET acknowledged_at = clock_timestamp()
WHERE event_id = ANY(%(event_ids)s) AND acknowledged_at IS NULL;

-- name: correction_counts
SELECT
    count(*) AS planned,
    count(*) FILTER (WHERE acknowledged_at IS NULL) AS unacknowledged
FROM replay_corrections;

-- name: relation
-- What bears a name, as this session resolves it.
SELECT
    relation.oid::bigint AS oid, relation.relkind::text AS kind,
    relation.relowner::regrole::text AS owner,
    pg_total_relation_size(relation.oid) AS bytes, relation.reltuples::bigint AS rows_estimated
FROM pg_class AS relation WHERE relation.oid = to_regclass(quote_ident(%(name)s));

-- name: dependents
SELECT kind, identity, action, reason, definition
FROM legacy_dependents(to_regclass(quote_ident(%(relation)s)), %(name)s)
ORDER BY kind, identity;

-- name: campaign_expression
-- How the view will show a campaign's id.
SELECT replace(expression, 'campaigns.', '') AS expression
FROM legacy_view_columns(to_regclass(quote_ident(%(legacy)s)), %(column_names)s::jsonb)
WHERE meaning = 'campaign_id';

-- name: index_for_view
-- Look-ups by campaign through the view are to be as fast as by the key. The old table's type and
-- collation differ from those of campaigns.campaign_id, and so does the expression that the view
-- shows: only an index on that very expression serves it. Not concurrently, which would wait for
-- every old transaction of the database; campaigns are few.
CREATE INDEX IF NOT EXISTS campaigns_legacy_campaign_id
ON campaigns (({expression}));

-- name: analyze_for_view
-- An index on an expression has no statistics until somebody gathers them.
ANALYZE campaigns, campaign_attributes;

-- name: create_view
SELECT create_legacy_view(
    to_regclass(quote_ident(%(legacy)s)), %(view)s, %(column_names)s::jsonb
);

-- name: copy_grants
SELECT copy_table_grants(
    to_regclass(quote_ident(%(source)s)), to_regclass(quote_ident(%(target)s))
);

-- name: refuse_writes_by_row
CREATE TRIGGER refuse_write_of_row INSTEAD OF INSERT OR UPDATE OR DELETE ON {view}
FOR EACH ROW EXECUTE FUNCTION refuse_legacy_write({topic});

-- name: refuse_writes_by_statement
CREATE TRIGGER refuse_write BEFORE INSERT OR UPDATE OR DELETE ON {view}
FOR EACH STATEMENT EXECUTE FUNCTION refuse_legacy_write({topic});

-- name: lock_timeout
SELECT set_config('lock_timeout', %(milliseconds)s::text, %(in_transaction)s);

-- name: stop_writers
-- Readers go on; writers wait until the swap is decided.
LOCK TABLE {relation} IN SHARE ROW EXCLUSIVE MODE;

-- name: stop_readers_of_view
SELECT lock_view(%(view)s::regclass);

-- name: stop_readers_of_table
LOCK TABLE {relation} IN ACCESS EXCLUSIVE MODE;

-- name: rename_table
ALTER TABLE {relation} RENAME TO {name};

-- name: rename_view
ALTER VIEW {relation} RENAME TO {name};

-- name: drop_view
-- Without CASCADE: what still depends on it must be seen, not lost.
DROP VIEW {view};

-- name: drop_table
-- Without CASCADE, as above.
DROP TABLE {relation};

-- name: bring_days_back
SELECT updated, inserted FROM bring_days_back(
    to_regclass(quote_ident(%(legacy)s)), %(column_names)s::jsonb, %(since)s
);

-- name: late_since
-- Live events that came after a time, for days before a date: only the statistics know them.
SELECT count(*) AS events
FROM campaign_events AS event
WHERE
    event.occurred_at < %(before)s::timestamp AT TIME ZONE 'UTC'
    AND event.batch_id IN (
        SELECT unnest(coalesce(merged_batch_ids, ARRAY[batch_id])) FROM ingest_batches
        WHERE ingested_at > %(after)s AND min_occurred_at < %(before)s::timestamp AT TIME ZONE 'UTC'
    )
    AND substring(uuid_send(event.event_id) FROM 7 FOR 4) <> '\x8ca39a17';

-- name: record_step
INSERT INTO migration_audit (step, taken_by, evidence, evidence_sha256)
VALUES (%(step)s, %(taken_by)s, %(evidence)s, %(evidence_sha256)s) RETURNING audit_id, taken_at;

-- name: last_step
SELECT step, taken_at FROM migration_audit
WHERE step IN ('cutover', 'rollback', 'drop-legacy') ORDER BY audit_id DESC LIMIT 1;
