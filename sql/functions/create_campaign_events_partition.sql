-- Creates the leaf for a day's month and returns its name; harmless when it is already there.
-- The table is made on its own and then attached, because ATTACH takes a lock that stops neither
-- readers nor writers of the parent, where CREATE TABLE … PARTITION OF stops both.
CREATE OR REPLACE FUNCTION create_campaign_events_partition(for_date date)
RETURNS text
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path FROM CURRENT
SET timezone = 'UTC'
AS $$
DECLARE
    month_start date := date_trunc('month', for_date::timestamp)::date;
    next_month date := (month_start + interval '1 month')::date;
    leaf text := campaign_events_partition_name(for_date);
    parent regclass := 'campaign_events'::regclass;
    first_kept date;
BEGIN
    IF for_date IS NULL OR NOT isfinite(for_date) THEN
        RAISE EXCEPTION 'a partition needs a finite date, got %', for_date
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF EXISTS (
        SELECT 1 FROM pg_inherits
        WHERE inhparent = parent AND inhrelid = to_regclass(quote_ident(leaf))
    ) THEN
        RETURN leaf;
    END IF;

    -- Floor before partition, as everywhere; shared, because the floor is only read.
    PERFORM pg_advisory_xact_lock_shared(ingest_lock_key('floor'));
    PERFORM pg_advisory_xact_lock(ingest_lock_key('partition'));
    SELECT retention.floor_date INTO first_kept FROM retention_floor AS retention FOR SHARE;
    IF next_month <= first_kept THEN
        RAISE EXCEPTION 'partition % lies below the retention floor', leaf
            USING ERRCODE = 'invalid_parameter_value',
                HINT = 'Events of that month have been dropped; they are not accepted again.';
    END IF;
    IF EXISTS (
        SELECT 1 FROM pg_inherits
        WHERE inhparent = parent AND inhrelid = to_regclass(quote_ident(leaf))
    ) THEN
        RETURN leaf;  -- another session made it while this one waited
    END IF;

    EXECUTE format(
        'CREATE TABLE %I (LIKE campaign_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', leaf
    );
    EXECUTE format(
        'ALTER TABLE campaign_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        leaf, month_start || ' 00:00:00+00', next_month || ' 00:00:00+00'
    );
    RETURN leaf;
END
$$;

COMMENT ON FUNCTION create_campaign_events_partition(date) IS
'Makes the monthly leaf that holds the given day unless it exists; returns its name.';
