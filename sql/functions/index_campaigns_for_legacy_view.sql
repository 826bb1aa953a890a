-- Look-ups by campaign through the legacy view are to be as fast as by the key. The table's type
-- and collation differ from those of campaigns.campaign_id, and so does the expression that the
-- view shows: only an index on that very expression serves it.
CREATE OR REPLACE FUNCTION index_campaigns_for_legacy_view(legacy regclass, column_names jsonb)
RETURNS void
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
DECLARE
    shown text;
BEGIN
    SELECT replace(expression, 'campaigns.', '') INTO STRICT shown
    FROM legacy_view_columns(legacy, column_names) WHERE meaning = 'campaign_id';
    EXECUTE format(
        'CREATE INDEX IF NOT EXISTS campaigns_legacy_campaign_id ON campaigns ((%s))', shown
    );
END
$$;

COMMENT ON FUNCTION index_campaigns_for_legacy_view(regclass, jsonb) IS
'Indexes campaigns by the id as the legacy view shows it.';
