-- Fired for the view that stands in the legacy table's place, per row and per statement: the row
-- trigger makes the view a legal target, the statement trigger speaks where no row matches.
CREATE OR REPLACE FUNCTION refuse_legacy_write()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% is a view since the cutover and cannot be written', TG_TABLE_NAME
        USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = 'Daily statistics are derived from campaign events.',
            HINT = format('Publish events to the Kafka topic %s instead.', TG_ARGV[0]);
END
$$;

COMMENT ON FUNCTION refuse_legacy_write() IS
'Tells a writer of the legacy table where to publish instead.';
