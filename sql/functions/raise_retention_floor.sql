-- Raises the first day whose events are kept; it never goes down. Every batch holds the floor lock
-- shared to its end, so having it alone means that no older batch is still under way, and whoever
-- comes next reads the new floor.
-- While this waits, new batches queue behind it: a stuck writer must not stall them all, so it
-- gives up after a second and lets the caller try again.
CREATE OR REPLACE FUNCTION raise_retention_floor(new_floor date)
RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path FROM CURRENT
SET lock_timeout = '1s'
AS $$
BEGIN
    IF new_floor IS NULL OR NOT isfinite(new_floor) THEN
        RAISE EXCEPTION 'the retention floor needs a finite date, got %', new_floor
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF new_floor <= (SELECT floor_date FROM retention_floor) THEN
        RETURN true;
    END IF;
    PERFORM pg_advisory_xact_lock(ingest_lock_key('floor'));
    UPDATE retention_floor SET floor_date = greatest(floor_date, new_floor);
    RETURN true;
EXCEPTION
    WHEN lock_not_available THEN
        RETURN false;
END
$$;

COMMENT ON FUNCTION raise_retention_floor(date) IS
'Raises the retention floor to a date; false when a batch under way kept the lock for a second.';

REVOKE ALL ON FUNCTION raise_retention_floor(date) FROM public;
