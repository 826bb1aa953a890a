-- Locks a view against its readers, and nothing beneath it: LOCK TABLE would lock the view's
-- tables as well, and with them the refresher. Giving a view to the owner it has changes nothing,
-- and takes the lock all the same.
CREATE OR REPLACE FUNCTION lock_view(view regclass)
RETURNS void
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
BEGIN
    EXECUTE format(
        'ALTER VIEW %s OWNER TO %s', view,
        (SELECT relowner::regrole FROM pg_class WHERE oid = view)
    );
END
$$;

COMMENT ON FUNCTION lock_view(regclass) IS
'Takes an ACCESS EXCLUSIVE lock on a view alone, until the transaction ends.';
