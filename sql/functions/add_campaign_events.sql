-- Writes events without Kafka, all of them or none, under the same contract, identity and ledger
-- as those that come through it (null topic, no offset row).
-- Lock order, as everywhere: floor (shared) -> campaigns, sorted -> leaves in month order, events
-- in the order of their key. Inserting through the parent keeps its leaves attached meanwhile.
-- Joins are nested loops over the primary key, so that the cost follows the events given, never
-- those stored.
CREATE OR REPLACE FUNCTION add_campaign_events(
    events jsonb,
    OUT inserted bigint,
    OUT duplicates bigint,
    OUT conflicting bigint
)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path FROM CURRENT
SET timezone = 'UTC'
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    -- The default accepted window of the ingester: ten years back, one day ahead, never before 2000.
    first_accepted timestamptz := greatest(now() - interval '3653 days', '2000-01-01 00:00:00+00');
    last_accepted constant timestamptz := now() + interval '1 day';
    fault text;
    months date [];
    month_start date;
    new_batch_id bigint;
    records bigint;
    found bigint;
    min_occurred_at timestamptz;
    max_occurred_at timestamptz;
BEGIN
    IF jsonb_typeof(events) IS DISTINCT FROM 'array' THEN
        RAISE EXCEPTION 'events must be a JSON array' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    records := jsonb_array_length(events);
    inserted := 0;
    duplicates := 0;
    conflicting := 0;
    IF records = 0 THEN
        RETURN;
    END IF;

    PERFORM pg_advisory_xact_lock_shared(ingest_lock_key('floor'));
    SELECT greatest(first_accepted, retention.floor_date::timestamp AT TIME ZONE 'UTC')
    INTO first_accepted FROM retention_floor AS retention FOR SHARE;

    SELECT format('events[%s]%s', element.ordinality - 1, checked.fault) INTO fault
    FROM jsonb_array_elements(events) WITH ORDINALITY AS element
    CROSS JOIN LATERAL
        campaign_event_fault(element.value, first_accepted, last_accepted) AS checked (fault)
    WHERE checked.fault IS NOT NULL
    ORDER BY element.ordinality
    LIMIT 1;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION '%', fault USING ERRCODE = 'invalid_parameter_value', HINT = 'Nothing was written.';
    END IF;

    INSERT INTO campaigns (campaign_id)
    SELECT DISTINCT given.campaign_id COLLATE "C" FROM campaign_event_rows(events) AS given
    WHERE NOT EXISTS (SELECT 1 FROM campaigns AS known WHERE known.campaign_id = given.campaign_id)
    ORDER BY 1
    ON CONFLICT (campaign_id) DO NOTHING;

    months := ARRAY(
        SELECT DISTINCT date_trunc('month', given.occurred_at AT TIME ZONE 'UTC')::date
        FROM campaign_event_rows(events) AS given
        ORDER BY 1
    );
    FOREACH month_start IN ARRAY months LOOP
        PERFORM create_campaign_events_partition(month_start);
    END LOOP;

    new_batch_id := nextval('ingest_batch_ids');
    WITH written AS (
        INSERT INTO campaign_events AS stored (
            event_id, occurred_at, batch_id, campaign_key,
            event_count, event_type, email_account_id, metadata
        )
        SELECT
            given.event_id, given.occurred_at, new_batch_id, known.campaign_key,
            given.event_count, given.event_type, given.email_account_id, given.metadata
        FROM campaign_event_rows(events) AS given
        INNER JOIN campaigns AS known ON given.campaign_id = known.campaign_id
        -- Of several with one identity the first stays.
        ORDER BY given.occurred_at, known.campaign_key, given.event_id, given.ordinal
        ON CONFLICT DO NOTHING
        RETURNING stored.occurred_at
    )
    SELECT count(*), min(written.occurred_at), max(written.occurred_at)
    INTO inserted, min_occurred_at, max_occurred_at
    FROM written;
    duplicates := records - inserted;

    -- Whatever each event met, the one that stayed is in the table now. In a transaction whose
    -- snapshot is older than another's campaign or event it may be out of sight: then say so.
    IF duplicates > 0 THEN
        SELECT
            count(*),
            count(*) FILTER (
                WHERE (stored.event_type, stored.event_count) <> (given.event_type, given.event_count)
            )
        INTO found, conflicting
        FROM campaign_event_rows(events) AS given
        INNER JOIN campaigns AS known ON given.campaign_id = known.campaign_id
        INNER JOIN campaign_events AS stored
            ON known.campaign_key = stored.campaign_key
            AND given.event_id = stored.event_id AND given.occurred_at = stored.occurred_at;
        IF found <> records THEN
            RAISE EXCEPTION 'another session writes the same campaigns or events'
                USING ERRCODE = 'serialization_failure', HINT = 'Try again.';
        END IF;
    END IF;

    INSERT INTO ingest_batches (
        batch_id, records, inserted, duplicates, conflicting, rejected,
        min_occurred_at, max_occurred_at, folded_at
    )
    VALUES (
        new_batch_id, records, inserted, duplicates, conflicting, 0,
        min_occurred_at, max_occurred_at, CASE WHEN inserted = 0 THEN clock_timestamp() END
    );
END
$$;

COMMENT ON FUNCTION add_campaign_events(jsonb) IS
'Writes an array of events of the Kafka contract, all or none; returns how many were inserted, how'
' many were duplicates, and how many of those differ in type or count from the event that stayed.';

REVOKE ALL ON FUNCTION add_campaign_events(jsonb) FROM public;
