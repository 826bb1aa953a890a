-- Computes the roll-ups of a range of days again, after a repair by hand or for peace of mind: the
-- days from the events of folded batches, then the weeks and months they touch from the days (the
-- events of the rest of such a month may be gone, its days are not).
-- Locks: floor (shared), so that no leaf leaves meanwhile, then refresh, so that no fold runs
-- meanwhile. Rows that are right are not written again and readers are never blocked; a rebuild of
-- healthy roll-ups therefore returns changed = 0.
CREATE OR REPLACE FUNCTION rebuild_campaign_stats(
    start_date date,
    end_date date,
    OUT days bigint,
    OUT weeks bigint,
    OUT months bigint,
    OUT changed bigint
)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path FROM CURRENT
SET timezone = 'UTC'
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    first_kept date;
    first_week date;
    last_week date;
    first_month date;
    last_month date;
    written bigint;
    removed bigint;
BEGIN
    IF start_date IS NULL OR end_date IS NULL OR NOT isfinite(start_date) OR NOT isfinite(end_date) THEN
        RAISE EXCEPTION 'a rebuild needs two finite dates, got % and %', start_date, end_date
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF start_date > end_date THEN
        RAISE EXCEPTION 'the range ends (%) before it starts (%)', end_date, start_date
            USING ERRCODE = 'invalid_parameter_value';
    END IF;

    PERFORM pg_advisory_xact_lock_shared(ingest_lock_key('floor'));
    -- FOR SHARE: a caller with an old snapshot must fail here, not trust a floor that has risen.
    SELECT retention.floor_date INTO first_kept FROM retention_floor AS retention FOR SHARE;
    IF start_date < first_kept THEN
        RAISE EXCEPTION 'events before % have been dropped, so % cannot be rebuilt', first_kept, start_date
            USING ERRCODE = 'invalid_parameter_value',
                HINT = 'Start at or after the retention floor; the roll-ups before it are kept as they are.';
    END IF;
    PERFORM pg_advisory_xact_lock(ingest_lock_key('refresh'));

    first_week := date_trunc('week', start_date::timestamp)::date;
    last_week := date_trunc('week', end_date::timestamp)::date;
    first_month := date_trunc('month', start_date::timestamp)::date;
    last_month := date_trunc('month', end_date::timestamp)::date;

    -- Each statement removes the rows without events and upserts the others: never the same row.
    WITH rebuilt AS MATERIALIZED (
        SELECT
            event.campaign_key,
            (event.occurred_at AT TIME ZONE 'UTC')::date AS event_date,
            max(event.occurred_at) AS last_activity,
            sum(event.event_count) FILTER (WHERE event.event_type = 'sent') AS sent,
            sum(event.event_count) FILTER (WHERE event.event_type = 'opened') AS opened,
            sum(event.event_count) FILTER (WHERE event.event_type = 'clicked') AS clicked,
            sum(event.event_count) FILTER (WHERE event.event_type = 'replied') AS replied,
            sum(event.event_count) FILTER (WHERE event.event_type = 'positive_reply') AS positive_replies,
            sum(event.event_count) FILTER (WHERE event.event_type = 'bounced') AS bounced
        FROM campaign_events AS event
        WHERE event.occurred_at >= start_date::timestamp AT TIME ZONE 'UTC'
            AND event.occurred_at < (end_date + 1)::timestamp AT TIME ZONE 'UTC'
            AND event.batch_id NOT IN (
                SELECT ledger.batch_id FROM ingest_batches AS ledger WHERE ledger.folded_at IS NULL
            )
        GROUP BY 1, 2
    ),
    gone AS (
        DELETE FROM campaign_daily_rollup AS total
        WHERE total.event_date BETWEEN start_date AND end_date
            AND NOT EXISTS (
                SELECT 1 FROM rebuilt
                WHERE rebuilt.campaign_key = total.campaign_key AND rebuilt.event_date = total.event_date
            )
        RETURNING 1
    ),
    kept AS (
        INSERT INTO campaign_daily_rollup AS total (
            campaign_key, event_date, last_activity,
            sent, opened, clicked, replied, positive_replies, bounced
        )
        SELECT campaign_key, event_date,
            nullif(last_activity, event_date::timestamp AT TIME ZONE 'UTC'),
            sent, opened, clicked, replied, positive_replies, bounced
        FROM rebuilt
        ORDER BY campaign_key, event_date
        ON CONFLICT (campaign_key, event_date) DO UPDATE SET
            last_activity = excluded.last_activity,
            sent = excluded.sent,
            opened = excluded.opened,
            clicked = excluded.clicked,
            replied = excluded.replied,
            positive_replies = excluded.positive_replies,
            bounced = excluded.bounced
        WHERE total IS DISTINCT FROM excluded
        RETURNING 1
    )
    SELECT
        (SELECT count(*) FROM rebuilt), (SELECT count(*) FROM kept), (SELECT count(*) FROM gone)
    INTO days, written, removed;
    changed := written + removed;

    WITH rebuilt AS MATERIALIZED (
        SELECT
            daily.campaign_key,
            date_trunc('week', daily.event_date::timestamp)::date AS week_start,
            max(
                coalesce(daily.last_activity, daily.event_date::timestamp AT TIME ZONE 'UTC')
            ) AS last_activity,
            sum(daily.sent)::bigint AS sent,
            sum(daily.opened)::bigint AS opened,
            sum(daily.clicked)::bigint AS clicked,
            sum(daily.replied)::bigint AS replied,
            sum(daily.positive_replies)::bigint AS positive_replies,
            sum(daily.bounced)::bigint AS bounced
        FROM campaign_daily_rollup AS daily
        WHERE daily.event_date BETWEEN first_week AND last_week + 6
        GROUP BY 1, 2
    ),
    gone AS (
        DELETE FROM campaign_weekly_rollup AS total
        WHERE total.week_start BETWEEN first_week AND last_week
            AND NOT EXISTS (
                SELECT 1 FROM rebuilt
                WHERE rebuilt.campaign_key = total.campaign_key AND rebuilt.week_start = total.week_start
            )
        RETURNING 1
    ),
    kept AS (
        INSERT INTO campaign_weekly_rollup AS total (
            campaign_key, week_start, last_activity,
            sent, opened, clicked, replied, positive_replies, bounced
        )
        SELECT campaign_key, week_start, last_activity,
            sent, opened, clicked, replied, positive_replies, bounced
        FROM rebuilt
        ORDER BY campaign_key, week_start
        ON CONFLICT (campaign_key, week_start) DO UPDATE SET
            last_activity = excluded.last_activity,
            sent = excluded.sent,
            opened = excluded.opened,
            clicked = excluded.clicked,
            replied = excluded.replied,
            positive_replies = excluded.positive_replies,
            bounced = excluded.bounced
        WHERE total IS DISTINCT FROM excluded
        RETURNING 1
    )
    SELECT
        (SELECT count(*) FROM rebuilt), (SELECT count(*) FROM kept), (SELECT count(*) FROM gone)
    INTO weeks, written, removed;
    changed := changed + written + removed;

    WITH rebuilt AS MATERIALIZED (
        SELECT
            daily.campaign_key,
            date_trunc('month', daily.event_date::timestamp)::date AS month_start,
            max(
                coalesce(daily.last_activity, daily.event_date::timestamp AT TIME ZONE 'UTC')
            ) AS last_activity,
            sum(daily.sent)::bigint AS sent,
            sum(daily.opened)::bigint AS opened,
            sum(daily.clicked)::bigint AS clicked,
            sum(daily.replied)::bigint AS replied,
            sum(daily.positive_replies)::bigint AS positive_replies,
            sum(daily.bounced)::bigint AS bounced
        FROM campaign_daily_rollup AS daily
        WHERE daily.event_date >= first_month
            AND daily.event_date < (last_month + interval '1 month')::date
        GROUP BY 1, 2
    ),
    gone AS (
        DELETE FROM campaign_monthly_rollup AS total
        WHERE total.month_start BETWEEN first_month AND last_month
            AND NOT EXISTS (
                SELECT 1 FROM rebuilt
                WHERE rebuilt.campaign_key = total.campaign_key AND rebuilt.month_start = total.month_start
            )
        RETURNING 1
    ),
    kept AS (
        INSERT INTO campaign_monthly_rollup AS total (
            campaign_key, month_start, last_activity,
            sent, opened, clicked, replied, positive_replies, bounced
        )
        SELECT campaign_key, month_start, last_activity,
            sent, opened, clicked, replied, positive_replies, bounced
        FROM rebuilt
        ORDER BY campaign_key, month_start
        ON CONFLICT (campaign_key, month_start) DO UPDATE SET
            last_activity = excluded.last_activity,
            sent = excluded.sent,
            opened = excluded.opened,
            clicked = excluded.clicked,
            replied = excluded.replied,
            positive_replies = excluded.positive_replies,
            bounced = excluded.bounced
        WHERE total IS DISTINCT FROM excluded
        RETURNING 1
    )
    SELECT
        (SELECT count(*) FROM rebuilt), (SELECT count(*) FROM kept), (SELECT count(*) FROM gone)
    INTO months, written, removed;
    changed := changed + written + removed;
    PERFORM pg_notify('campaign_stats_refreshed', '');
END
$$;

COMMENT ON FUNCTION rebuild_campaign_stats(date, date) IS
'Recomputes the roll-ups of a range of days from the events of folded batches; returns how many'
' days, weeks and months it computed and how many roll-up rows that changed.';

REVOKE ALL ON FUNCTION rebuild_campaign_stats(date, date) FROM public;
