-- Folds the batches not folded yet into the three roll-ups, in the caller's transaction.
-- Exactly once: a batch is claimed by setting folded_at in the transaction that adds its events.
-- Single flight: a second caller waits, then finds nothing left. Readers are never blocked.
-- Assumptions: (1) the events of a committed ledger row are visible with it, since both commit
-- together; (2) batch ids of neighbouring commits are near each other, so claimed ids form few
-- runs, each read through the BRIN on batch_id, in the leaves of its time span.
-- The leaves of a run are read one after the other and folded as one, so that what is far behind
-- (a replay, an outage) reaches the roll-ups in the order of their keys, which keeps these dense.
-- By batch_id alone: with a condition on occurred_at beside it, a planner without
-- statistics takes the primary key and reads a month for one late event. Sequential scans are off
-- for the same reason: the cost follows the new events even where nobody has analysed a leaf yet.
CREATE OR REPLACE FUNCTION refresh_campaign_stats(
    max_batches integer DEFAULT NULL,
    OUT batches bigint,
    OUT events bigint
)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path FROM CURRENT
SET timezone = 'UTC'
SET enable_seqscan = off
SET work_mem = '64MB'
AS $$
DECLARE
    started_at timestamptz := clock_timestamp();
    claimed_runs jsonb;
    claimed_run record;
    new_events text;
    folded bigint;
    expected bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(ingest_lock_key('refresh'));

    WITH unfolded AS (
        SELECT ledger.batch_id FROM ingest_batches AS ledger
        WHERE ledger.folded_at IS NULL
        ORDER BY ledger.batch_id
        LIMIT max_batches
    ),
    claimed AS (
        UPDATE ingest_batches AS ledger SET folded_at = clock_timestamp()
        FROM unfolded
        WHERE ledger.batch_id = unfolded.batch_id AND ledger.folded_at IS NULL
        RETURNING ledger.batch_id, ledger.inserted, ledger.min_occurred_at, ledger.max_occurred_at
    ),
    -- A gap of more than 64 ids starts a new run: those in between were folded before.
    gaps AS (
        SELECT claimed.*,
            (batch_id - lag(batch_id, 1, batch_id) OVER (ORDER BY batch_id) > 64)::integer AS gap
        FROM claimed
        WHERE inserted > 0
    ),
    numbered AS (
        SELECT gaps.*, sum(gap) OVER (ORDER BY batch_id) AS run FROM gaps
    ),
    runs AS (
        SELECT
            array_agg(batch_id) AS ids, min(batch_id) AS first_id, max(batch_id) AS last_id,
            min(min_occurred_at) AS since, max(max_occurred_at) AS until
        FROM numbered GROUP BY run
    )
    SELECT
        (SELECT count(*) FROM claimed),
        (SELECT coalesce(sum(inserted), 0) FROM claimed),
        (SELECT jsonb_agg(to_jsonb(runs)) FROM runs)
    INTO batches, expected, claimed_runs;

    events := 0;
    FOR claimed_run IN
        SELECT run.ids, run.first_id, run.last_id, run.since, run.until
        FROM jsonb_to_recordset(claimed_runs) AS run (
            ids bigint [], first_id bigint, last_id bigint, since timestamptz, until timestamptz
        )
        ORDER BY run.first_id
    LOOP
        SELECT string_agg(
            format(
                'SELECT campaign_key, occurred_at, event_count, event_type FROM %I'
                ' WHERE batch_id BETWEEN $1 AND $2 AND batch_id = ANY ($3)',
                member.relname
            ),
            ' UNION ALL ' ORDER BY member.relname
        )
        INTO new_events
        FROM pg_inherits INNER JOIN pg_class AS member ON pg_inherits.inhrelid = member.oid
        WHERE pg_inherits.inhparent = 'campaign_events'::regclass
            AND member.relname::text COLLATE "C"
            BETWEEN campaign_events_partition_name(claimed_run.since::date)
            AND campaign_events_partition_name(claimed_run.until::date);
        -- No leaf, no events: the count below tells.
        CONTINUE WHEN new_events IS NULL;
        EXECUTE format(
            $fold$
            WITH day_delta AS MATERIALIZED (
                SELECT
                    event.campaign_key,
                    (event.occurred_at AT TIME ZONE 'UTC')::date AS event_date,
                    max(event.occurred_at) AS last_activity,
                    sum(event.event_count) FILTER (WHERE event.event_type = 'sent') AS sent,
                    sum(event.event_count) FILTER (WHERE event.event_type = 'opened') AS opened,
                    sum(event.event_count) FILTER (WHERE event.event_type = 'clicked') AS clicked,
                    sum(event.event_count) FILTER (WHERE event.event_type = 'replied') AS replied,
                    sum(event.event_count) FILTER (WHERE event.event_type = 'positive_reply') AS positive_replies,
                    sum(event.event_count) FILTER (WHERE event.event_type = 'bounced') AS bounced,
                    count(*) AS events
                FROM (%s) AS event
                GROUP BY 1, 2
            ),
            daily AS (
                INSERT INTO campaign_daily_rollup AS total (
                    campaign_key, event_date, last_activity,
                    sent, opened, clicked, replied, positive_replies, bounced
                )
                SELECT campaign_key, event_date,
                    nullif(last_activity, event_date::timestamp AT TIME ZONE 'UTC'),
                    sent, opened, clicked, replied, positive_replies, bounced
                FROM day_delta
                ORDER BY campaign_key, event_date
                ON CONFLICT (campaign_key, event_date) DO UPDATE SET
                    last_activity = greatest(total.last_activity, excluded.last_activity),
                    sent = coalesce(total.sent + excluded.sent, total.sent, excluded.sent),
                    opened = coalesce(total.opened + excluded.opened, total.opened, excluded.opened),
                    clicked = coalesce(total.clicked + excluded.clicked, total.clicked, excluded.clicked),
                    replied = coalesce(total.replied + excluded.replied, total.replied, excluded.replied),
                    positive_replies = coalesce(
                        total.positive_replies + excluded.positive_replies,
                        total.positive_replies, excluded.positive_replies
                    ),
                    bounced = coalesce(total.bounced + excluded.bounced, total.bounced, excluded.bounced)
            ),
            weekly AS (
                INSERT INTO campaign_weekly_rollup AS total (
                    campaign_key, week_start, last_activity,
                    sent, opened, clicked, replied, positive_replies, bounced
                )
                SELECT campaign_key, date_trunc('week', event_date::timestamp)::date, max(last_activity),
                    sum(sent), sum(opened), sum(clicked), sum(replied), sum(positive_replies), sum(bounced)
                FROM day_delta
                GROUP BY 1, 2
                ORDER BY 1, 2
                ON CONFLICT (campaign_key, week_start) DO UPDATE SET
                    last_activity = greatest(total.last_activity, excluded.last_activity),
                    sent = coalesce(total.sent + excluded.sent, total.sent, excluded.sent),
                    opened = coalesce(total.opened + excluded.opened, total.opened, excluded.opened),
                    clicked = coalesce(total.clicked + excluded.clicked, total.clicked, excluded.clicked),
                    replied = coalesce(total.replied + excluded.replied, total.replied, excluded.replied),
                    positive_replies = coalesce(
                        total.positive_replies + excluded.positive_replies,
                        total.positive_replies, excluded.positive_replies
                    ),
                    bounced = coalesce(total.bounced + excluded.bounced, total.bounced, excluded.bounced)
            ),
            monthly AS (
                INSERT INTO campaign_monthly_rollup AS total (
                    campaign_key, month_start, last_activity,
                    sent, opened, clicked, replied, positive_replies, bounced
                )
                SELECT campaign_key, date_trunc('month', event_date::timestamp)::date, max(last_activity),
                    sum(sent), sum(opened), sum(clicked), sum(replied), sum(positive_replies), sum(bounced)
                FROM day_delta
                GROUP BY 1, 2
                ORDER BY 1, 2
                ON CONFLICT (campaign_key, month_start) DO UPDATE SET
                    last_activity = greatest(total.last_activity, excluded.last_activity),
                    sent = coalesce(total.sent + excluded.sent, total.sent, excluded.sent),
                    opened = coalesce(total.opened + excluded.opened, total.opened, excluded.opened),
                    clicked = coalesce(total.clicked + excluded.clicked, total.clicked, excluded.clicked),
                    replied = coalesce(total.replied + excluded.replied, total.replied, excluded.replied),
                    positive_replies = coalesce(
                        total.positive_replies + excluded.positive_replies,
                        total.positive_replies, excluded.positive_replies
                    ),
                    bounced = coalesce(total.bounced + excluded.bounced, total.bounced, excluded.bounced)
            )
            SELECT coalesce(sum(day_delta.events), 0) FROM day_delta
            $fold$,
            new_events
        )
        INTO folded
        USING claimed_run.first_id, claimed_run.last_id, claimed_run.ids;
        events := events + folded;
    END LOOP;

    -- The ledger and the events were committed together; anything else is damage, and must not
    -- be folded into numbers that people trust.
    IF events <> expected THEN
        RAISE EXCEPTION 'the ledger counts % events in these batches, the table holds %', expected, events
            USING ERRCODE = 'data_corrupted', HINT = 'Run: ingester verify';
    END IF;
    IF batches > 0 THEN
        INSERT INTO stats_refreshes (started, batches, events) VALUES (started_at, batches, events);
        -- With the commit, so that whoever listens finds the new numbers.
        PERFORM pg_notify('campaign_stats_refreshed', '');
    END IF;
END
$$;

COMMENT ON FUNCTION refresh_campaign_stats(integer) IS
'Folds up to max_batches unfolded batches (null: all) into the roll-ups; returns batches and events.';

REVOKE ALL ON FUNCTION refresh_campaign_stats(integer) FROM public;
