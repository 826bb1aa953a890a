-- The event contract (ingester/event.py) once more, for events that come as jsonb: what is wrong
-- with one event, or null. A missing field goes before an unknown one, that before a bad value, as
-- the decoder reports them. jsonb has already settled what only raw text can show: of two equal
-- keys the last counts, 1e0 is the integer 1, and metadata is measured as PostgreSQL prints it.
CREATE OR REPLACE FUNCTION campaign_event_fault(
    event jsonb,
    first_accepted timestamptz,
    last_accepted timestamptz
)
RETURNS text
LANGUAGE plpgsql
STABLE PARALLEL SAFE
AS $$
DECLARE
    required constant text [] := ARRAY['event_id', 'campaign_id', 'event_type', 'occurred_at'];
    optional constant text [] := ARRAY['count', 'correction', 'email_account_id', 'metadata'];
    event_types constant text [] := enum_range(NULL::campaign_event_type)::text [];
    field text;
    event_id constant text := event ->> 'event_id';
    count_text constant text := event ->> 'count';
    event_count numeric;
    is_correction constant boolean := coalesce(event -> 'correction' = 'true', false);
    occurred_at timestamptz;
BEGIN
    IF jsonb_typeof(event) IS DISTINCT FROM 'object' THEN
        RETURN ': is not a JSON object';
    END IF;
    FOREACH field IN ARRAY required LOOP
        IF NOT event ? field THEN
            RETURN format('.%s: is missing', field);
        END IF;
    END LOOP;
    IF event - required - optional <> '{}' THEN
        SELECT min(name) INTO field FROM jsonb_object_keys(event - required - optional) AS name;
        RETURN format('.%s: is an unknown field', left(field, 60));
    END IF;

    IF jsonb_typeof(event -> 'event_id') <> 'string'
        OR event_id !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' THEN
        RETURN '.event_id: is not a UUID in its 36-character form';
    END IF;
    IF jsonb_typeof(event -> 'campaign_id') <> 'string'
        OR char_length(event ->> 'campaign_id') NOT BETWEEN 1 AND 255 THEN
        RETURN '.campaign_id: is not a string of 1 to 255 characters';
    END IF;
    IF jsonb_typeof(event -> 'event_type') <> 'string' OR event ->> 'event_type' <> ALL (event_types) THEN
        RETURN format('.event_type: is none of %s', array_to_string(event_types, ', '));
    END IF;
    IF jsonb_typeof(event -> 'occurred_at') = 'string' THEN
        occurred_at := rfc3339_time(event ->> 'occurred_at');
    END IF;
    IF occurred_at IS NULL THEN
        RETURN '.occurred_at: is not an RFC 3339 time with an offset';
    END IF;

    -- 1.0 keeps its scale in jsonb, so that it can be told from 1.
    IF event ? 'count' THEN
        IF jsonb_typeof(event -> 'count') <> 'number' OR count_text !~ '^-?[0-9]+$' THEN
            RETURN '.count: is not an integer';
        END IF;
        event_count := count_text;
        IF event_count NOT BETWEEN -2147483647 AND 2147483647 THEN
            RETURN '.count: is beyond 2147483647';
        END IF;
    END IF;
    IF event ? 'correction' AND jsonb_typeof(event -> 'correction') <> 'boolean' THEN
        RETURN '.correction: is not a boolean';
    END IF;
    IF is_correction AND lower(substr(event_id, 15, 9)) <> '8ca3-9a17' THEN
        RETURN '.correction: is accepted only with a replay-tagged event_id';
    END IF;
    IF event_count = 0 OR (event_count < 0 AND NOT is_correction) THEN
        RETURN '.count: must be 1 or more';
    END IF;

    IF jsonb_typeof(event -> 'email_account_id') <> 'null' AND (
        jsonb_typeof(event -> 'email_account_id') <> 'string'
        OR char_length(event ->> 'email_account_id') NOT BETWEEN 1 AND 255
    ) THEN
        RETURN '.email_account_id: is not a string of 1 to 255 characters';
    END IF;
    IF jsonb_typeof(event -> 'metadata') <> 'null' THEN
        IF jsonb_typeof(event -> 'metadata') <> 'object' THEN
            RETURN '.metadata: is not a JSON object';
        END IF;
        IF octet_length(event ->> 'metadata') > 16384 THEN
            RETURN '.metadata: is larger than 16384 bytes';
        END IF;
        -- The event is level 1 and metadata level 2, so 63 levels below metadata is the 65th.
        IF jsonb_path_exists(
            event -> 'metadata', 'strict $.**{63} ? (@.type() == "object" || @.type() == "array")'
        ) THEN
            RETURN '.metadata: is nested deeper than 64 levels';
        END IF;
    END IF;

    IF occurred_at NOT BETWEEN first_accepted AND last_accepted THEN
        RETURN format(
            '.occurred_at: %s is not between %s and %s', occurred_at, first_accepted, last_accepted
        );
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION campaign_event_fault(jsonb, timestamptz, timestamptz) IS
'What breaks the event contract in one event, as ".field: reason", or null for a valid event.';
