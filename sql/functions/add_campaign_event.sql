-- One event written without Kafka; the array form does the work, so that there is one contract.
CREATE OR REPLACE FUNCTION add_campaign_event(
    event_id uuid,
    campaign_id text,
    event_type text,
    occurred_at timestamptz,
    count integer DEFAULT 1,
    correction boolean DEFAULT false,
    email_account_id text DEFAULT NULL,
    metadata jsonb DEFAULT NULL,
    OUT inserted bigint,
    OUT duplicates bigint,
    OUT conflicting bigint
)
LANGUAGE sql
SET search_path FROM CURRENT
AS $$
    SELECT outcome.inserted, outcome.duplicates, outcome.conflicting
    FROM add_campaign_events(jsonb_build_array(jsonb_build_object(
        'event_id', event_id,
        'campaign_id', campaign_id,
        'event_type', event_type,
        'occurred_at', to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'count', count,
        'correction', correction,
        'email_account_id', email_account_id,
        'metadata', metadata
    ))) AS outcome
$$;

COMMENT ON FUNCTION add_campaign_event(uuid, text, text, timestamptz, integer, boolean, text, jsonb) IS
'Writes one event of the Kafka contract; returns whether it was inserted, a duplicate, a conflicting one.';
