-- Takes a month that lies below the retention floor out of campaign_events, and out of the books
-- in the same transaction: ledger and month totals first, DETACH last, so that verification
-- balances at every commit. False: a lock was not to be had, try again. Null: the ledger rows have
-- been merged since they were counted, count again. Either way nothing happened.
-- Three locks, each bounded. SHARE UPDATE EXCLUSIVE on the leaf first: it blocks no reader, and
-- waiting for it past deadlock_timeout sends autovacuum away. Then the parent, then the leaf, in
-- the order of every reader; those two are short, because everybody queues behind them.
CREATE OR REPLACE FUNCTION retire_campaign_events_partition(month_start date, contents jsonb)
RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path FROM CURRENT
SET timezone = 'UTC'
SET lock_timeout = '2s'
AS $$
DECLARE
    leaf constant text := quote_ident(campaign_events_partition_name(month_start));
    next_month constant date := month_start + interval '1 month';
BEGIN
    IF next_month > (SELECT floor_date FROM retention_floor) THEN
        RAISE EXCEPTION '% does not lie below the retention floor', leaf
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    PERFORM pg_advisory_xact_lock(ingest_lock_key('refresh'));
    IF EXISTS (
        SELECT 1 FROM ingest_batches
        WHERE folded_at IS NULL AND min_occurred_at < next_month::timestamp AT TIME ZONE 'UTC'
    ) THEN
        RAISE EXCEPTION '% holds events that are not folded yet', leaf
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Run: SELECT refresh_campaign_stats()';
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM pg_inherits
        WHERE inhparent = 'campaign_events'::regclass AND inhrelid = to_regclass(leaf)
    ) THEN
        RETURN true;  -- another session was faster
    END IF;

    IF EXISTS (
        SELECT 1 FROM jsonb_array_elements_text(contents -> 'ledger_ids') AS counted (ledger_id)
        WHERE NOT EXISTS (
            SELECT 1 FROM ingest_batches AS ledger WHERE ledger.batch_id = counted.ledger_id::bigint
        )
    ) THEN
        RETURN NULL;
    END IF;

    UPDATE ingest_batches AS ledger SET dropped = ledger.dropped + gone.events::bigint
    FROM ROWS FROM (
        jsonb_array_elements_text(contents -> 'ledger_ids'),
        jsonb_array_elements_text(contents -> 'ledger_events')
    ) AS gone (ledger_id, events)
    WHERE ledger.batch_id = gone.ledger_id::bigint;
    INSERT INTO dropped_partitions (
        month_start, events, sent, opened, clicked, replied, positive_replies, bounced
    )
    SELECT
        month_start, total.events, total.sent, total.opened, total.clicked,
        total.replied, total.positive_replies, total.bounced
    FROM jsonb_to_record(contents) AS total (
        events bigint, sent bigint, opened bigint, clicked bigint,
        replied bigint, positive_replies bigint, bounced bigint
    );

    EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', leaf);
    PERFORM set_config('lock_timeout', '200ms', true);
    LOCK TABLE ONLY campaign_events IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', leaf);
    EXECUTE format('ALTER TABLE campaign_events DETACH PARTITION %s', leaf);
    RETURN true;
EXCEPTION
    WHEN lock_not_available THEN
        RETURN false;
END
$$;

COMMENT ON FUNCTION retire_campaign_events_partition(date, jsonb) IS
'Books the contents of a month below the retention floor as dropped and detaches its leaf;'
' false when a lock was not to be had, null when the contents must be counted again.';

REVOKE ALL ON FUNCTION retire_campaign_events_partition(date, jsonb) FROM public;
