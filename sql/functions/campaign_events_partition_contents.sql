-- What a leaf below the retention floor holds, for the books: its events, its sums, and how many
-- events each ledger row has in it. Nobody writes such a leaf any more, so it is counted once,
-- before the locks that take it away. Null where the month has no attached leaf.
CREATE OR REPLACE FUNCTION campaign_events_partition_contents(month_start date)
RETURNS jsonb
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path FROM CURRENT
SET timezone = 'UTC'
AS $$
DECLARE
    leaf constant regclass := to_regclass(quote_ident(campaign_events_partition_name(month_start)));
    next_month constant date := month_start + interval '1 month';
    contents jsonb;
    known bigint;
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM pg_inherits WHERE inhparent = 'campaign_events'::regclass AND inhrelid = leaf
    ) THEN
        RETURN NULL;
    END IF;
    EXECUTE format(
        $query$
        WITH per_batch AS MATERIALIZED (
            SELECT
                batch_id,
                count(*) AS events,
                sum(event_count) FILTER (WHERE event_type = 'sent') AS sent,
                sum(event_count) FILTER (WHERE event_type = 'opened') AS opened,
                sum(event_count) FILTER (WHERE event_type = 'clicked') AS clicked,
                sum(event_count) FILTER (WHERE event_type = 'replied') AS replied,
                sum(event_count) FILTER (WHERE event_type = 'positive_reply') AS positive_replies,
                sum(event_count) FILTER (WHERE event_type = 'bounced') AS bounced
            FROM %s
            GROUP BY batch_id
        ),
        members AS (
            SELECT
                ledger.batch_id AS ledger_id,
                unnest(coalesce(ledger.merged_batch_ids, ARRAY[ledger.batch_id])) AS batch_id
            FROM ingest_batches AS ledger
            WHERE ledger.min_occurred_at < $2 AND ledger.max_occurred_at >= $1
        ),
        per_ledger_row AS (
            SELECT members.ledger_id, sum(per_batch.events) AS events
            FROM per_batch INNER JOIN members USING (batch_id)
            GROUP BY members.ledger_id
        )
        SELECT jsonb_build_object(
            'events', coalesce(sum(events), 0), 'sent', coalesce(sum(sent), 0),
            'opened', coalesce(sum(opened), 0), 'clicked', coalesce(sum(clicked), 0),
            'replied', coalesce(sum(replied), 0),
            'positive_replies', coalesce(sum(positive_replies), 0),
            'bounced', coalesce(sum(bounced), 0),
            'ledger_ids', (SELECT coalesce(jsonb_agg(ledger_id ORDER BY ledger_id), '[]') FROM per_ledger_row),
            'ledger_events', (SELECT coalesce(jsonb_agg(events ORDER BY ledger_id), '[]') FROM per_ledger_row)
        )
        FROM per_batch
        $query$,
        leaf
    )
    INTO contents
    USING month_start::timestamp AT TIME ZONE 'UTC', next_month::timestamp AT TIME ZONE 'UTC';

    SELECT coalesce(sum(events::bigint), 0) INTO known
    FROM jsonb_array_elements_text(contents -> 'ledger_events') AS events;
    IF known <> (contents ->> 'events')::bigint THEN
        RAISE EXCEPTION 'the ledger knows % of the % events in %', known, contents ->> 'events', leaf
            USING ERRCODE = 'data_corrupted', HINT = 'Run: ingester verify';
    END IF;
    RETURN contents;
END
$$;

COMMENT ON FUNCTION campaign_events_partition_contents(date) IS
'Events, sums and events per ledger row of a month''s leaf; null where no such leaf is attached.';

REVOKE ALL ON FUNCTION campaign_events_partition_contents(date) FROM public;
