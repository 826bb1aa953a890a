-- The one read function: statistics of some or all campaigns over any range of days, exact to the
-- day. Whole weeks or months come from their own roll-up, only the cut edges from the daily one,
-- so that two years by month read a few rows per campaign. Hours are counted from the events.
-- STABLE, so that every statement in it reads the caller's snapshot: roll-ups and ledger agree.
-- SECURITY DEFINER, so that a reader needs EXECUTE and nothing else. Plans are never generic:
-- constants let the planner drop the branches that a granularity does not read. Neither jit nor
-- parallel workers: starting them takes longer than the usual answer.
-- Names are joined last, to the aggregated rows.
CREATE OR REPLACE FUNCTION get_campaign_stats(
    campaign_ids text [],
    start_date date,
    end_date date,
    granularity text DEFAULT 'day'
)
RETURNS TABLE (
    campaign_id text,
    period_start timestamp,
    sent bigint,
    opened bigint,
    clicked bigint,
    replied bigint,
    positive_replies bigint,
    bounced bigint
)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path FROM CURRENT
SET plan_cache_mode = force_custom_plan
SET jit = off
SET max_parallel_workers_per_gather = 0
AS $$
#variable_conflict use_column
DECLARE
    granularities constant text [] := ARRAY[
        'hour', 'day', 'week', 'month', 'quarter', 'year', 'all'
    ];
    -- Outside these years a date means "unbounded": no event lies there, and arithmetic on the
    -- last dates that PostgreSQL knows would overflow.
    since date := CASE WHEN start_date >= '0001-01-01' THEN start_date ELSE '-infinity' END;
    until date := CASE WHEN end_date <= '9999-12-31' THEN end_date ELSE 'infinity' END;
    wanted integer [];  -- campaign keys; null: all
    whole_unit text := CASE granularity WHEN 'week' THEN 'week' ELSE 'month' END;
    whole_from date;    -- first day of the first whole week or month in the range
    whole_until date;   -- the day after the last one
    has_edges boolean;  -- whether the range cuts its first or last week or month
    floor_date date;
BEGIN
    IF granularity IS NULL OR granularity <> ALL (granularities) THEN
        RAISE EXCEPTION 'granularity % is unknown', coalesce(quote_literal(granularity), 'null')
            USING ERRCODE = 'invalid_parameter_value',
                HINT = 'Valid ones: ' || array_to_string(granularities, ', ') || '.';
    END IF;
    IF since > until OR since > '9999-12-31' THEN
        RETURN;
    END IF;
    IF campaign_ids IS NOT NULL THEN
        wanted := ARRAY(
            SELECT known.campaign_key FROM campaigns AS known
            WHERE known.campaign_id = ANY (campaign_ids)
        );
        IF cardinality(wanted) = 0 THEN
            RETURN;
        END IF;
    END IF;

    IF granularity = 'day' THEN
        RETURN QUERY
        SELECT
            known.campaign_id, daily.event_date::timestamp,
            coalesce(daily.sent, 0), coalesce(daily.opened, 0), coalesce(daily.clicked, 0),
            coalesce(daily.replied, 0), coalesce(daily.positive_replies, 0), coalesce(daily.bounced, 0)
        FROM campaign_daily_rollup AS daily
        INNER JOIN campaigns AS known USING (campaign_key)
        WHERE daily.event_date BETWEEN since AND until
            AND (wanted IS NULL OR daily.campaign_key = ANY (wanted))
            AND (wanted IS NULL OR known.campaign_key = ANY (wanted))
        ORDER BY known.campaign_id, daily.event_date;

    ELSIF granularity = 'hour' THEN
        SELECT retention.floor_date INTO floor_date FROM retention_floor AS retention;
        IF since < floor_date THEN
            RAISE EXCEPTION 'hours cannot be counted from %: events before % have been dropped',
                since, floor_date
                USING ERRCODE = 'invalid_parameter_value',
                    HINT = 'Start at or after the retention floor, or ask for days.';
        END IF;
        RETURN QUERY
        SELECT
            known.campaign_id, total.period_start,
            coalesce(total.sent, 0), coalesce(total.opened, 0), coalesce(total.clicked, 0),
            coalesce(total.replied, 0), coalesce(total.positive_replies, 0), coalesce(total.bounced, 0)
        FROM (
            SELECT
                event.campaign_key,
                date_trunc('hour', event.occurred_at AT TIME ZONE 'UTC') AS period_start,
                sum(event.event_count) FILTER (WHERE event.event_type = 'sent') AS sent,
                sum(event.event_count) FILTER (WHERE event.event_type = 'opened') AS opened,
                sum(event.event_count) FILTER (WHERE event.event_type = 'clicked') AS clicked,
                sum(event.event_count) FILTER (WHERE event.event_type = 'replied') AS replied,
                sum(event.event_count)
                    FILTER (WHERE event.event_type = 'positive_reply') AS positive_replies,
                sum(event.event_count) FILTER (WHERE event.event_type = 'bounced') AS bounced
            FROM campaign_events AS event
            WHERE event.occurred_at >= since::timestamp AT TIME ZONE 'UTC'
                AND event.occurred_at < (until + 1)::timestamp AT TIME ZONE 'UTC'
                AND (wanted IS NULL OR event.campaign_key = ANY (wanted))
                AND event.batch_id NOT IN (
                    SELECT ledger.batch_id FROM ingest_batches AS ledger
                    WHERE ledger.folded_at IS NULL
                )
            GROUP BY 1, 2
        ) AS total
        INNER JOIN campaigns AS known USING (campaign_key)
        ORDER BY known.campaign_id, total.period_start;

    ELSE
        whole_from := date_trunc(whole_unit, since::timestamp)::date;
        IF whole_from < since THEN
            whole_from := (whole_from + ('1 ' || whole_unit)::interval)::date;
        END IF;
        whole_until := date_trunc(whole_unit, (until + 1)::timestamp)::date;
        IF whole_from >= whole_until THEN
            whole_from := until + 1;
            whole_until := until + 1;
        END IF;
        has_edges := since < whole_from OR (whole_until <= until AND isfinite(until));
        IF granularity IN ('week', 'month') THEN
            -- A period is whole or cut, never both: whole rows are read as they stand.
            RETURN QUERY
            SELECT
                known.campaign_id, total.period_start,
                coalesce(total.sent, 0), coalesce(total.opened, 0), coalesce(total.clicked, 0),
                coalesce(total.replied, 0), coalesce(total.positive_replies, 0),
                coalesce(total.bounced, 0)
            FROM (
                SELECT
                    weekly.campaign_key, weekly.week_start::timestamp AS period_start,
                    weekly.sent, weekly.opened, weekly.clicked,
                    weekly.replied, weekly.positive_replies, weekly.bounced
                FROM campaign_weekly_rollup AS weekly
                WHERE granularity = 'week'
                    AND weekly.week_start >= whole_from AND weekly.week_start < whole_until
                    AND (wanted IS NULL OR weekly.campaign_key = ANY (wanted))
                UNION ALL
                SELECT
                    monthly.campaign_key, monthly.month_start::timestamp,
                    monthly.sent, monthly.opened, monthly.clicked,
                    monthly.replied, monthly.positive_replies, monthly.bounced
                FROM campaign_monthly_rollup AS monthly
                WHERE granularity = 'month'
                    AND monthly.month_start >= whole_from AND monthly.month_start < whole_until
                    AND (wanted IS NULL OR monthly.campaign_key = ANY (wanted))
                UNION ALL
                SELECT
                    daily.campaign_key, date_trunc(granularity, daily.event_date::timestamp),
                    sum(daily.sent)::bigint, sum(daily.opened)::bigint, sum(daily.clicked)::bigint,
                    sum(daily.replied)::bigint, sum(daily.positive_replies)::bigint,
                    sum(daily.bounced)::bigint
                FROM campaign_daily_rollup AS daily
                WHERE has_edges
                    AND daily.event_date BETWEEN since AND until
                    AND (daily.event_date < whole_from OR daily.event_date >= whole_until)
                    AND (wanted IS NULL OR daily.campaign_key = ANY (wanted))
                GROUP BY 1, 2
            ) AS total
            INNER JOIN campaigns AS known USING (campaign_key)
            WHERE wanted IS NULL OR known.campaign_key = ANY (wanted)
            ORDER BY known.campaign_id, total.period_start;
        ELSE
            RETURN QUERY
            SELECT
                known.campaign_id,
                -- Only "all" over a range without a start has no start of its own.
                coalesce(total.period_start, (
                    SELECT min(daily.event_date)::timestamp FROM campaign_daily_rollup AS daily
                    WHERE daily.campaign_key = total.campaign_key
                )) AS period_start,
                coalesce(total.sent, 0)::bigint, coalesce(total.opened, 0)::bigint,
                coalesce(total.clicked, 0)::bigint, coalesce(total.replied, 0)::bigint,
                coalesce(total.positive_replies, 0)::bigint, coalesce(total.bounced, 0)::bigint
            FROM (
                SELECT
                    part.campaign_key,
                    CASE
                        WHEN granularity <> 'all'
                            THEN date_trunc(granularity, part.first_day::timestamp)
                        WHEN isfinite(since) THEN since::timestamp
                    END AS period_start,
                    sum(part.sent) AS sent, sum(part.opened) AS opened,
                    sum(part.clicked) AS clicked, sum(part.replied) AS replied,
                    sum(part.positive_replies) AS positive_replies, sum(part.bounced) AS bounced
                FROM (
                    SELECT
                        monthly.campaign_key, monthly.month_start AS first_day,
                        monthly.sent, monthly.opened, monthly.clicked,
                        monthly.replied, monthly.positive_replies, monthly.bounced
                    FROM campaign_monthly_rollup AS monthly
                    WHERE monthly.month_start >= whole_from AND monthly.month_start < whole_until
                        AND (wanted IS NULL OR monthly.campaign_key = ANY (wanted))
                    UNION ALL
                    SELECT
                        daily.campaign_key, daily.event_date,
                        daily.sent, daily.opened, daily.clicked,
                        daily.replied, daily.positive_replies, daily.bounced
                    FROM campaign_daily_rollup AS daily
                    WHERE has_edges
                        AND daily.event_date BETWEEN since AND until
                        AND (daily.event_date < whole_from OR daily.event_date >= whole_until)
                        AND (wanted IS NULL OR daily.campaign_key = ANY (wanted))
                ) AS part
                GROUP BY 1, 2
            ) AS total
            INNER JOIN campaigns AS known USING (campaign_key)
            WHERE wanted IS NULL OR known.campaign_key = ANY (wanted)
            ORDER BY 1, 2;
        END IF;
    END IF;
END
$$;

COMMENT ON FUNCTION get_campaign_stats(text [], date, date, text) IS
'Statistics per campaign and period (hour, day, week, month, quarter, year or all) over the folded'
' events of a range of UTC days, both included; a null array means all campaigns, a null date no bound.';

-- What it reads is not for everybody.
REVOKE ALL ON FUNCTION get_campaign_stats(text [], date, date, text) FROM public;
