-- The advisory locks of the system, in one list. All are taken for the transaction, never longer.
CREATE OR REPLACE FUNCTION ingest_lock_key(purpose text)
RETURNS bigint
LANGUAGE plpgsql
IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    -- 'INGESTER' in ASCII, so that pg_locks shows whose lock it is.
    family constant bigint := x'494E474553544552'::bigint;
BEGIN
    RETURN family + CASE purpose
        WHEN 'floor' THEN 1      -- shared: a batch that relies on the retention floor; exclusive: raising it
        WHEN 'refresh' THEN 2    -- one fold at a time
        WHEN 'partition' THEN 3  -- one creation of a leaf at a time
    END;
END
$$;

COMMENT ON FUNCTION ingest_lock_key(text) IS
'Key of the advisory lock for floor, refresh or partition.';
