-- What a view must select to look like the legacy table: the same columns in the same order with
-- the same types and collations, so that even statements prepared on the table go on working.
-- column_names says what the table calls each column that we know; any other column is refused,
-- since the statistics know nothing of it.
-- `id` is derived, since rows have no identity any more: stable, and unique per campaign and day.
CREATE OR REPLACE FUNCTION legacy_view_columns(legacy regclass, column_names jsonb)
RETURNS TABLE (position_number integer, meaning text, expression text, column_name text)
LANGUAGE plpgsql
STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    day_key text := 'rollup.event_date || '' '' || campaigns.campaign_id';
    sources jsonb := jsonb_build_object(
        'id', format('left(encode(sha256(convert_to(%s, ''UTF8'')), ''hex''), 32)', day_key),
        'admin_uuid', 'attribute.admin_uuid',
        'campaign_id', 'campaigns.campaign_id',
        'campaign_id_int', 'attribute.campaign_id_int',
        'stat_date', 'rollup.event_date',
        'sent', 'coalesce(rollup.sent, 0)',
        'opened', 'coalesce(rollup.opened, 0)',
        'clicked', 'coalesce(rollup.clicked, 0)',
        'replied', 'coalesce(rollup.replied, 0)',
        'positive_replies', 'coalesce(rollup.positive_replies, 0)',
        'bounced', 'coalesce(rollup.bounced, 0)',
        'created_at', 'rollup.event_date::timestamp AT TIME ZONE ''UTC''',
        'updated_at',
        'coalesce(rollup.last_activity, rollup.event_date::timestamp AT TIME ZONE ''UTC'')'
    );
    member record;
BEGIN
    FOR member IN
        SELECT
            attribute.attnum, attribute.attname, known.key AS meaning, type.typcategory, type.typname,
            format_type(attribute.atttypid, attribute.atttypmod) AS type,
            CASE WHEN attribute.attcollation <> 0
                THEN format('COLLATE %I.%I', space.nspname, sorting.collname)
            END AS sorting
        FROM pg_attribute AS attribute
        INNER JOIN pg_type AS type ON type.oid = attribute.atttypid
        LEFT JOIN jsonb_each_text(column_names) AS known ON known.value = attribute.attname
        LEFT JOIN pg_collation AS sorting ON sorting.oid = attribute.attcollation
        LEFT JOIN pg_namespace AS space ON space.oid = sorting.collnamespace
        WHERE attribute.attrelid = legacy AND attribute.attnum > 0 AND NOT attribute.attisdropped
        ORDER BY attribute.attnum
    LOOP
        IF sources ->> member.meaning IS NULL THEN
            RAISE EXCEPTION 'the statistics know nothing of column % of %', member.attname, legacy
                USING ERRCODE = 'feature_not_supported';
        END IF;
        IF member.meaning = 'id' AND member.typcategory <> 'S' AND member.typname <> 'uuid' THEN
            RAISE EXCEPTION 'column % of % is neither text nor uuid', member.attname, legacy
                USING ERRCODE = 'feature_not_supported';
        END IF;
        position_number := member.attnum;
        meaning := member.meaning;
        column_name := member.attname;
        expression := concat_ws(
            ' ', format('CAST(%s AS %s)', sources ->> member.meaning, member.type), member.sorting
        );
        RETURN NEXT;
    END LOOP;
END
$$;

COMMENT ON FUNCTION legacy_view_columns(regclass, jsonb) IS
'The select list that makes the statistics look like the legacy table.';
