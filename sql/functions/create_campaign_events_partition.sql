-- Creates the leaf for a day's month and returns its name; harmless when it is already there.
-- The table is made on its own and then attached, because ATTACH takes a lock that stops neither
-- readers nor writers of the parent, where CREATE TABLE … PARTITION OF stops both.
-- A writer has no DDL of its own and comes through here: it is let make months only that an event
-- may lie in, and COPY into a leaf needs the privilege on the leaf, so those of the parent are
-- granted on it too.
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
    last_month constant date := clock_timestamp() + interval '61 months';
    privilege record;
BEGIN
    IF for_date IS NULL OR NOT isfinite(for_date) THEN
        RAISE EXCEPTION 'a partition needs a finite date, got %', for_date
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF for_date < '2000-01-01' OR for_date > last_month THEN
        RAISE EXCEPTION 'no event lies in %', leaf
            USING ERRCODE = 'invalid_parameter_value',
                HINT = format('Partitions may be made from 2000-01 to %s.', last_month);
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
    FOR privilege IN
        SELECT
            acl.privilege_type AS kind,
            CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END AS grantee
        FROM pg_class AS table_of_events, aclexplode(table_of_events.relacl) AS acl
        WHERE table_of_events.oid = parent AND acl.grantee <> table_of_events.relowner
    LOOP
        EXECUTE format('GRANT %s ON %I TO %s', privilege.kind, leaf, privilege.grantee);
    END LOOP;
    RETURN leaf;
END
$$;

COMMENT ON FUNCTION create_campaign_events_partition(date) IS
'Makes the monthly leaf that holds the given day unless it exists; returns its name.';

REVOKE ALL ON FUNCTION create_campaign_events_partition(date) FROM public;
