-- Drops the leaf of a month that has left campaign_events: only one that is detached and booked in
-- dropped_partitions, never a table that merely has such a name.
CREATE OR REPLACE FUNCTION drop_retired_campaign_events_partition(for_month date)
RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path FROM CURRENT
SET lock_timeout = '2s'
AS $$
DECLARE
    leaf constant text := quote_ident(campaign_events_partition_name(for_month));
BEGIN
    IF EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass(leaf))
        OR NOT EXISTS (SELECT 1 FROM dropped_partitions WHERE month_start = for_month) THEN
        RAISE EXCEPTION '% has not been retired', leaf USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS %s', leaf);
    RETURN true;
EXCEPTION
    WHEN lock_not_available THEN
        RETURN false;
END
$$;

COMMENT ON FUNCTION drop_retired_campaign_events_partition(date) IS
'Drops the detached leaf of a month booked in dropped_partitions; false when a lock was not to be had.';

REVOKE ALL ON FUNCTION drop_retired_campaign_events_partition(date) FROM public;
