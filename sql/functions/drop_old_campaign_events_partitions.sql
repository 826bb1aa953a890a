-- Retention: keeps the events of the current month (UTC) and of months_to_keep - 1 before it.
-- Roll-ups stay. May be killed anywhere and called again; each COMMIT leaves books that balance:
--   1. raise the floor, alone under the floor lock: from then on no batch brings an older event,
--      and having had the lock means that no batch that read the old floor is still under way;
--   2. fold what has arrived, so that the roll-ups hold everything that is about to leave;
--   3. per month: count, then book and DETACH in one transaction, then DROP;
--   4. a leaf that an earlier call detached and did not get to drop is found by its booking.
-- A lock that is not to be had is waited for briefly and often: the steps are functions, because
-- there is no COMMIT inside a block with an EXCEPTION clause; between two tries no lock is held.
CREATE OR REPLACE PROCEDURE drop_old_campaign_events_partitions(months_to_keep integer)
LANGUAGE plpgsql
AS $$
DECLARE
    tries_max constant integer := 30;  -- with the pauses between them about a minute
    pause_seconds_max constant double precision := 2;
    tries integer := 0;
    new_floor date;
    floor_date date;
    months date [];
    month_start date;
    contents jsonb;
    done boolean;
BEGIN
    IF months_to_keep IS NULL OR months_to_keep <= 0 THEN
        RAISE EXCEPTION 'months_to_keep must be 1 or more, got %', coalesce(months_to_keep::text, 'null')
            USING ERRCODE = 'invalid_parameter_value',
                HINT = 'The current month is the first of them. To keep everything, do not call this.';
    END IF;
    -- No event is older than the year 2000, so a longer wish changes nothing.
    new_floor := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')
        - make_interval(months => least(months_to_keep, 12000) - 1);

    LOOP
        done := raise_retention_floor(new_floor);
        COMMIT;
        EXIT WHEN done;
        tries := tries + 1;
        IF tries = tries_max THEN
            RAISE EXCEPTION 'a batch under way keeps the floor lock'
                USING ERRCODE = 'lock_not_available', HINT = 'Nothing was dropped; call again later.';
        END IF;
        PERFORM pg_sleep(least(0.1 * tries, pause_seconds_max));
    END LOOP;

    SELECT retention.floor_date INTO floor_date FROM retention_floor AS retention;
    WHILE EXISTS (
        SELECT 1 FROM ingest_batches AS ledger
        WHERE ledger.folded_at IS NULL AND ledger.min_occurred_at < floor_date::timestamp AT TIME ZONE 'UTC'
    ) LOOP
        PERFORM refresh_campaign_stats(64);
        COMMIT;
    END LOOP;

    -- Arrays, because a loop over a query would keep its cursor open across the COMMITs.
    months := ARRAY(
        SELECT to_date(right(leaf.relname, 7), 'YYYY_MM')
        FROM pg_inherits AS member
        INNER JOIN pg_class AS leaf ON member.inhrelid = leaf.oid
        WHERE member.inhparent = 'campaign_events'::regclass
            AND leaf.relname ~ '^campaign_events_[0-9]{4}_[0-9]{2}$'
            AND to_date(right(leaf.relname, 7), 'YYYY_MM') + interval '1 month' <= floor_date
        ORDER BY 1
    );
    FOREACH month_start IN ARRAY months LOOP
        contents := NULL;
        tries := 0;
        LOOP
            IF contents IS NULL THEN
                contents := campaign_events_partition_contents(month_start);
                COMMIT;
                EXIT WHEN contents IS NULL;  -- another session was faster
            END IF;
            done := retire_campaign_events_partition(month_start, contents);
            COMMIT;
            EXIT WHEN done;
            IF done IS NULL THEN
                contents := NULL;
            END IF;
            tries := tries + 1;
            IF tries = tries_max THEN
                RAISE EXCEPTION '% is in use', campaign_events_partition_name(month_start)
                    USING ERRCODE = 'lock_not_available',
                        HINT = 'A long query reads campaign_events; call again later.';
            END IF;
            PERFORM pg_sleep(least(0.1 * tries, pause_seconds_max));
        END LOOP;
    END LOOP;

    months := ARRAY(
        SELECT dropped.month_start FROM dropped_partitions AS dropped
        WHERE to_regclass(quote_ident(campaign_events_partition_name(dropped.month_start))) IS NOT NULL
        ORDER BY 1
    );
    FOREACH month_start IN ARRAY months LOOP
        done := drop_retired_campaign_events_partition(month_start);
        COMMIT;
        IF NOT done THEN
            RAISE WARNING '% is in use; the next call drops it', campaign_events_partition_name(month_start);
        END IF;
    END LOOP;
END
$$;

COMMENT ON PROCEDURE drop_old_campaign_events_partitions (integer) IS
'Drops the months of events before the last months_to_keep (the current one is the first of them);'
' roll-ups stay. CALL it outside a transaction block.';
