-- Valid events of a JSON array as rows, with the defaults of the contract filled in. The planner
-- puts the body in the place of the call, so it may be called as often as it reads well.
CREATE OR REPLACE FUNCTION campaign_event_rows(events jsonb)
RETURNS TABLE (
    ordinal bigint,
    event_id uuid,
    campaign_id text,
    event_type campaign_event_type,
    occurred_at timestamptz,
    event_count integer,
    email_account_id text,
    metadata jsonb
)
LANGUAGE sql
STABLE PARALLEL SAFE
AS $$
    SELECT
        element.ordinality,
        (element.value ->> 'event_id')::uuid,
        element.value ->> 'campaign_id',
        (element.value ->> 'event_type')::campaign_event_type,
        rfc3339_time(element.value ->> 'occurred_at'),
        coalesce((element.value ->> 'count')::integer, 1),
        element.value ->> 'email_account_id',
        nullif(element.value -> 'metadata', 'null')
    FROM jsonb_array_elements(events) WITH ORDINALITY AS element
$$;

COMMENT ON FUNCTION campaign_event_rows(jsonb) IS
'The events of a JSON array that campaign_event_fault finds nothing wrong with, as rows.';
