-- The statements of ingester.repository. Those that begin with as_of answer with one row at least:
-- as_of is the moment as of which the answer is complete, out of the same snapshot; where there is
-- nothing else to tell, the other columns are null. A null date is no bound; null campaigns are all
-- campaigns.

-- name: read_stats
-- What is beyond rows_max never leaves the server; null is no bound.
SELECT
    answer.as_of, found.campaign_id, found.period_start,
    found.sent, found.opened, found.clicked, found.replied, found.positive_replies, found.bounced
FROM campaign_stats_as_of() AS answer (as_of)
LEFT JOIN get_campaign_stats(
    %(campaign_ids)s::text [], %(start_date)s::date, %(end_date)s::date, %(granularity)s::text
) AS found ON true
LIMIT %(rows_max)s::bigint;

-- name: read_aggregated_stats
-- Of a range without a start, "all" has a start of its own for each campaign: the earliest counts.
SELECT
    answer.as_of, found.period_start,
    found.sent, found.opened, found.clicked, found.replied, found.positive_replies, found.bounced
FROM campaign_stats_as_of() AS answer (as_of)
LEFT JOIN (
    SELECT
        min(each.period_start) AS period_start, sum(each.sent) AS sent,
        sum(each.opened) AS opened, sum(each.clicked) AS clicked, sum(each.replied) AS replied,
        sum(each.positive_replies) AS positive_replies, sum(each.bounced) AS bounced
    FROM get_campaign_stats(
        %(campaign_ids)s::text [], %(start_date)s::date, %(end_date)s::date, %(granularity)s::text
    ) AS each
    GROUP BY CASE WHEN %(granularity)s::text <> 'all' THEN each.period_start END
) AS found ON true
ORDER BY found.period_start;

-- name: read_days_of_all
-- As the statement above answers for all campaigns by day, without naming each of them on the way.
SELECT
    answer.as_of, found.event_date::timestamp AS period_start,
    found.sent, found.opened, found.clicked, found.replied, found.positive_replies, found.bounced
FROM campaign_stats_as_of() AS answer (as_of)
LEFT JOIN (
    SELECT
        event_date, sum(sent) AS sent, sum(opened) AS opened, sum(clicked) AS clicked,
        sum(replied) AS replied, sum(positive_replies) AS positive_replies, sum(bounced) AS bounced
    FROM campaign_daily_rollup
    WHERE
        event_date BETWEEN coalesce(%(start_date)s::date, '-infinity')
        AND coalesce(%(end_date)s::date, 'infinity')
    GROUP BY event_date
) AS found ON true
ORDER BY found.event_date;

-- name: read_top_campaigns
SELECT
    answer.as_of, found.campaign_id, found.period_start,
    found.sent, found.opened, found.clicked, found.replied, found.positive_replies, found.bounced
FROM campaign_stats_as_of() AS answer (as_of)
LEFT JOIN (
    SELECT
        campaign_id, period_start, sent, opened, clicked, replied, positive_replies, bounced,
        CASE %(metric)s::text
            WHEN 'sent' THEN sent
            WHEN 'opened' THEN opened
            WHEN 'clicked' THEN clicked
            WHEN 'replied' THEN replied
            WHEN 'positive_replies' THEN positive_replies
            WHEN 'bounced' THEN bounced
        END AS rank
    FROM get_campaign_stats(NULL, %(start_date)s::date, %(end_date)s::date, 'all')
    ORDER BY rank DESC, campaign_id ASC LIMIT %(rows_max)s
) AS found ON true
ORDER BY found.rank DESC, found.campaign_id ASC;

-- name: read_campaign_totals
SELECT answer.as_of, found.*
FROM campaign_stats_as_of() AS answer (as_of)
LEFT JOIN (
    SELECT
        known.campaign_id,
        sum(day.sent) AS sent, sum(day.opened) AS opened, sum(day.clicked) AS clicked,
        sum(day.replied) AS replied, sum(day.positive_replies) AS positive_replies,
        sum(day.bounced) AS bounced,
        min(day.event_date) AS first_date, max(day.event_date) AS last_date,
        max(day.event_date) FILTER (WHERE day.replied > 0) AS last_reply_date,
        max(day.event_date) FILTER (WHERE day.positive_replies > 0) AS last_positive_reply_date,
        max(day.last_activity) AS last_activity
    FROM campaigns AS known
    INNER JOIN campaign_daily_rollup AS day USING (campaign_key)
    WHERE known.campaign_id = ANY(%(campaign_ids)s::text [])
    GROUP BY known.campaign_id
) AS found ON true;

-- name: read_campaigns
-- A page by key; each campaign's first and last day are two looks into the roll-up's primary key.
-- Ids are compared byte by byte (collation C), which knows the case of ASCII alone; what is looked
-- for is compared as the database's own locale does.
SELECT
    answer.as_of, found.campaign_id, earliest.event_date AS first_date,
    latest.event_date AS last_date, latest.last_activity
FROM campaign_stats_as_of() AS answer (as_of)
LEFT JOIN (
    SELECT campaign_id, campaign_key FROM campaigns
    WHERE
        (campaign_id > %(after)s::text OR %(after)s::text IS NULL)
        AND (
            strpos(lower(campaign_id COLLATE "default"), lower(%(containing)s::text)) > 0
            OR %(containing)s::text IS NULL
        )
    ORDER BY campaign_id LIMIT %(rows_max)s
) AS found ON true
LEFT JOIN LATERAL (
    SELECT day.event_date FROM campaign_daily_rollup AS day
    WHERE day.campaign_key = found.campaign_key ORDER BY day.event_date ASC LIMIT 1
) AS earliest ON true
LEFT JOIN LATERAL (
    SELECT day.event_date, day.last_activity FROM campaign_daily_rollup AS day
    WHERE day.campaign_key = found.campaign_key ORDER BY day.event_date DESC LIMIT 1
) AS latest ON true
ORDER BY found.campaign_id;

-- name: read_event_history
-- The newest first, a page by key. The roll-up names the days on which there is something to read,
-- so that a quiet campaign costs its own days and not every campaign's years. Events of batches not
-- folded yet are left out, as in the statistics: the pages of a range add up to its number.
SELECT answer.as_of, found.*
FROM campaign_stats_as_of() AS answer (as_of)
LEFT JOIN (
    SELECT
        event.occurred_at, event.event_id, event.event_type::text AS event_type,
        event.event_count AS count
    FROM campaign_daily_rollup AS day
    CROSS JOIN LATERAL (
        SELECT stored.occurred_at, stored.event_id, stored.event_type, stored.event_count
        FROM campaign_events AS stored
        WHERE
            stored.campaign_key = day.campaign_key
            AND stored.occurred_at >= day.event_date::timestamp AT TIME ZONE 'UTC'
            AND stored.occurred_at < (day.event_date + 1)::timestamp AT TIME ZONE 'UTC'
            -- The bound that the index can use, and the one that is exact.
            AND stored.occurred_at <= coalesce(%(before_time)s::timestamptz, 'infinity')
            AND (
                (stored.occurred_at, stored.event_id)
                < (%(before_time)s::timestamptz, %(before_id)s::uuid)
                OR %(before_id)s::uuid IS NULL
            )
            AND stored.batch_id NOT IN (
                SELECT ledger.batch_id FROM ingest_batches AS ledger WHERE ledger.folded_at IS NULL
            )
        ORDER BY stored.occurred_at DESC, stored.event_id DESC LIMIT %(rows_max)s
    ) AS event
    WHERE
        day.campaign_key
        = (SELECT campaign_key FROM campaigns WHERE campaign_id = %(campaign_id)s::text)
        AND (day.event_date >= %(start_date)s::date OR %(start_date)s::date IS NULL)
        AND (day.event_date <= %(end_date)s::date OR %(end_date)s::date IS NULL)
        AND (
            day.event_date <= (%(before_time)s::timestamptz AT TIME ZONE 'UTC')::date
            OR %(before_time)s::timestamptz IS NULL
        )
    ORDER BY day.event_date DESC, event.occurred_at DESC, event.event_id DESC LIMIT %(rows_max)s
) AS found ON true
ORDER BY found.occurred_at DESC, found.event_id DESC;

-- name: read_event_details
-- What a page of events does not tell every reader; by the whole key of each event.
SELECT event.event_id, event.occurred_at, event.email_account_id, event.metadata
FROM unnest(%(event_ids)s::uuid [], %(times)s::timestamptz []) AS wanted (event_id, occurred_at)
INNER JOIN campaign_events AS event USING (occurred_at, event_id)
WHERE
    event.campaign_key
    = (SELECT campaign_key FROM campaigns WHERE campaign_id = %(campaign_id)s::text);

-- name: explained_ranges
-- The folded events of a campaign's day by the batch that brought them, with its ledger row. After
-- a merge one ledger row stands for several batches; its counts are then those of the whole range.
-- Ledger rows that cannot hold an event of the day are passed over before their ids are looked at.
-- First ranges that hold one of batch_ids, then the latest, up to ranges_max; totals are of all.
WITH brought AS (
    SELECT
        batch_id, count(*) AS events,
        sum(event_count) FILTER (WHERE event_type = 'sent') AS sent,
        sum(event_count) FILTER (WHERE event_type = 'opened') AS opened,
        sum(event_count) FILTER (WHERE event_type = 'clicked') AS clicked,
        sum(event_count) FILTER (WHERE event_type = 'replied') AS replied,
        sum(event_count) FILTER (WHERE event_type = 'positive_reply') AS positive_replies,
        sum(event_count) FILTER (WHERE event_type = 'bounced') AS bounced
    FROM campaign_events
    WHERE
        campaign_key
        = (SELECT campaign_key FROM campaigns WHERE campaign_id = %(campaign_id)s::text)
        AND occurred_at >= %(day)s::date::timestamp AT TIME ZONE 'UTC'
        AND occurred_at < (%(day)s::date + 1)::timestamp AT TIME ZONE 'UTC'
    GROUP BY batch_id
),

ledger AS (
    SELECT
        batch_id, unnest(coalesce(merged_batch_ids, ARRAY[batch_id])) AS one_id,
        coalesce(cardinality(merged_batch_ids), 1) AS batches, topic, topic_id, partition,
        first_offset, next_offset, ingested_at, records, inserted, duplicates, conflicting, rejected
    FROM ingest_batches
    WHERE
        folded_at IS NOT NULL
        AND min_occurred_at < (%(day)s::date + 1)::timestamp AT TIME ZONE 'UTC'
        AND max_occurred_at >= %(day)s::date::timestamp AT TIME ZONE 'UTC'
        AND batch_id >= (SELECT min(batch_id) FROM brought)
)

SELECT
    ranges.*,
    count(*) OVER () AS ranges_total, sum(events) OVER () AS events_total,
    sum(records) OVER () AS records_total, sum(duplicates) OVER () AS duplicates_total,
    sum(conflicting) OVER () AS conflicting_total, sum(rejected) OVER () AS rejected_total,
    sum(sent) OVER () AS sent_total, sum(opened) OVER () AS opened_total,
    sum(clicked) OVER () AS clicked_total, sum(replied) OVER () AS replied_total,
    sum(positive_replies) OVER () AS positive_replies_total, sum(bounced) OVER () AS bounced_total
FROM (
    SELECT
        ledger.batch_id, ledger.batches, ledger.topic, ledger.topic_id, ledger.partition,
        ledger.first_offset, ledger.next_offset, ledger.ingested_at,
        ledger.records, ledger.inserted, ledger.duplicates, ledger.conflicting, ledger.rejected,
        array_agg(brought.batch_id) AS batch_ids, sum(brought.events) AS events,
        sum(brought.sent) AS sent, sum(brought.opened) AS opened,
        sum(brought.clicked) AS clicked, sum(brought.replied) AS replied,
        sum(brought.positive_replies) AS positive_replies, sum(brought.bounced) AS bounced,
        bool_or(brought.batch_id = ANY(%(batch_ids)s::bigint [])) AS is_wanted
    FROM brought
    INNER JOIN ledger ON brought.batch_id = ledger.one_id
    GROUP BY
        ledger.batch_id, ledger.batches, ledger.topic, ledger.topic_id, ledger.partition,
        ledger.first_offset, ledger.next_offset, ledger.ingested_at,
        ledger.records, ledger.inserted, ledger.duplicates, ledger.conflicting, ledger.rejected
) AS ranges
ORDER BY is_wanted DESC, ingested_at DESC, batch_id DESC LIMIT %(ranges_max)s;

-- name: explained_events
-- A page of those events, in the order in which they happened.
SELECT occurred_at, event_id, event_type::text AS event_type, event_count AS count, batch_id
FROM campaign_events
WHERE
    campaign_key = (SELECT campaign_key FROM campaigns WHERE campaign_id = %(campaign_id)s::text)
    AND occurred_at >= %(day)s::date::timestamp AT TIME ZONE 'UTC'
    AND occurred_at < (%(day)s::date + 1)::timestamp AT TIME ZONE 'UTC'
    AND batch_id NOT IN (SELECT batch_id FROM ingest_batches WHERE folded_at IS NULL)
    AND occurred_at >= coalesce(%(after_time)s::timestamptz, '-infinity')
    AND (
        (occurred_at, event_id) > (%(after_time)s::timestamptz, %(after_id)s::uuid)
        OR %(after_id)s::uuid IS NULL
    )
ORDER BY occurred_at, event_id LIMIT %(rows_max)s;

-- name: explained_number
-- What the dashboard shows for the day, and whether its events may have been dropped since then.
SELECT
    answer.as_of, day.sent, day.opened, day.clicked, day.replied, day.positive_replies, day.bounced,
    day.last_activity, %(day)s::date < floor.floor_date AS is_below_floor
FROM campaign_stats_as_of() AS answer (as_of)
CROSS JOIN retention_floor AS floor
LEFT JOIN campaign_daily_rollup AS day
    ON
        day.campaign_key
        = (SELECT campaign_key FROM campaigns WHERE campaign_id = %(campaign_id)s::text)
    AND day.event_date = %(day)s::date;

-- name: find_legacy_table
-- The table that was replayed, as it is called now: the cutover appends _legacy, and a view takes
-- the old name; no row where neither is a table any more. Whether it can be read, and has the
-- columns, is asked before, since an error would take the rest of the answer with it.
SELECT
    candidate.name, has_table_privilege(found.oid, 'SELECT') AS readable,
    (
        SELECT count(*) FROM pg_attribute
        WHERE
            attrelid = found.oid AND attnum > 0 AND NOT attisdropped
            AND attname IN (%(campaign_id_column)s::text, %(stat_date_column)s::text)
    ) = 2 AS has_columns
FROM replay_state
CROSS JOIN
    unnest(ARRAY[replay_state.legacy_table || '_legacy', replay_state.legacy_table])
    WITH ORDINALITY AS candidate (name, place)
INNER JOIN pg_class AS found ON found.oid = to_regclass(quote_ident(candidate.name))
WHERE found.relkind IN ('r', 'p')
ORDER BY candidate.place LIMIT 1;

-- name: legacy_rows_of_day
SELECT to_jsonb(entry) AS entry FROM {table} AS entry
WHERE entry.{campaign_id}::text = %(campaign_id)s AND entry.{stat_date} = %(day)s::date
LIMIT 100;

-- name: add_events
SELECT inserted, duplicates, conflicting FROM add_campaign_events(%(events)s::jsonb);
