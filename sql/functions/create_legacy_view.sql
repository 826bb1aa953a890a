-- Makes the view that stands in for the legacy table; column_names as in legacy_view_columns.
CREATE OR REPLACE FUNCTION create_legacy_view(
    legacy regclass, view_name text, column_names jsonb
)
RETURNS void
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
DECLARE
    select_list text;
BEGIN
    SELECT string_agg(format('%s AS %I', shown.expression, shown.column_name), ', '
        ORDER BY shown.position_number)
    INTO select_list
    FROM legacy_view_columns(legacy, column_names) AS shown;
    EXECUTE format(
        $view$
        CREATE VIEW %I AS SELECT %s
        FROM campaign_daily_rollup AS rollup
        INNER JOIN campaigns ON campaigns.campaign_key = rollup.campaign_key
        LEFT JOIN campaign_attributes AS attribute
            ON attribute.campaign_id = campaigns.campaign_id
        $view$,
        view_name, select_list
    );
    EXECUTE format(
        'COMMENT ON VIEW %I IS %L', view_name,
        format('Stands in for %s since the cutover: derived from events, cannot be written.', legacy)
    );
END
$$;

COMMENT ON FUNCTION create_legacy_view(regclass, text, jsonb) IS
'Makes a view with the columns of the legacy table over the statistics derived from events.';
