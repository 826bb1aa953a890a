-- The name of the leaf that holds a day; names come from dates only, never from input text.
CREATE OR REPLACE FUNCTION campaign_events_partition_name(for_date date)
RETURNS text
LANGUAGE sql
IMMUTABLE STRICT PARALLEL SAFE
RETURN 'campaign_events_' || to_char(for_date::timestamp, 'YYYY_MM');

COMMENT ON FUNCTION campaign_events_partition_name(date) IS
'campaign_events_YYYY_MM, the leaf of campaign_events that holds the given day.';
