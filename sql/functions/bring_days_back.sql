-- Brings the days since the cutover from the roll-ups into the legacy table, so that it can take
-- its name back: a row that differs is updated, one that is missing is inserted. Days that the
-- roll-ups know nothing of stay as they are. column_names as in legacy_view_columns.
CREATE OR REPLACE FUNCTION bring_days_back(
    legacy regclass, column_names jsonb, since date, OUT updated bigint, OUT inserted bigint
)
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET timezone = 'UTC'
AS $$
DECLARE
    assignments text;
    columns text;
    select_list text;
    metrics text;
    shown_metrics text;
    source text := $source$
        FROM campaign_daily_rollup AS rollup
        INNER JOIN campaigns ON campaigns.campaign_key = rollup.campaign_key
        LEFT JOIN campaign_attributes AS attribute
            ON attribute.campaign_id = campaigns.campaign_id
        WHERE rollup.event_date >= $1
    $source$;
    same_key text := format(
        'legacy.%I = brought.%1$I AND legacy.%I = brought.%2$I',
        column_names ->> 'campaign_id', column_names ->> 'stat_date'
    );
BEGIN
    SELECT
        string_agg(format('%I', column_name), ', ' ORDER BY position_number),
        string_agg(format('%s AS %I', expression, column_name), ', ' ORDER BY position_number),
        string_agg(format('%I = brought.%1$I', column_name), ', ')
            FILTER (WHERE meaning IN (
                'sent', 'opened', 'clicked', 'replied', 'positive_replies', 'bounced', 'updated_at'
            )),
        string_agg(format('legacy.%I', column_name), ', ' ORDER BY position_number)
            FILTER (WHERE meaning IN (
                'sent', 'opened', 'clicked', 'replied', 'positive_replies', 'bounced'
            )),
        string_agg(format('brought.%I', column_name), ', ' ORDER BY position_number)
            FILTER (WHERE meaning IN (
                'sent', 'opened', 'clicked', 'replied', 'positive_replies', 'bounced'
            ))
    INTO columns, select_list, assignments, metrics, shown_metrics
    FROM legacy_view_columns(legacy, column_names);
    EXECUTE format(
        'UPDATE %s AS legacy SET %s FROM (SELECT %s %s) AS brought'
        ' WHERE %s AND (%s) IS DISTINCT FROM (%s)',
        legacy, assignments, select_list, source, same_key, metrics, shown_metrics
    ) USING since;
    GET DIAGNOSTICS updated = ROW_COUNT;
    EXECUTE format(
        'INSERT INTO %1$s (%2$s) SELECT %2$s FROM (SELECT %3$s %4$s) AS brought'
        ' WHERE NOT EXISTS (SELECT FROM %1$s AS legacy WHERE %5$s)',
        legacy, columns, select_list, source, same_key
    ) USING since;
    GET DIAGNOSTICS inserted = ROW_COUNT;
END
$$;

COMMENT ON FUNCTION bring_days_back(regclass, jsonb, date) IS
'Copies the statistics of the days from a date on into the legacy table; returns rows written.';
