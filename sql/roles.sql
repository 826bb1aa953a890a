-- Least privilege: three group roles to grant to logins. Run by the owner of the schema, after
-- every migration (`ingester migrate --roles`, or psql -f); safe to run again. Roles belong to the
-- whole server, privileges to this database and to the connection's schema.
--
--   ingester_writer     ingester run: adds events, moves offsets; no DDL, no UPDATE of events
--   ingester_refresher  ingester refresh: folds, makes and drops partitions through functions only
--   ingester_reader     applications and dashboards: statistics, and the events and ledger behind
--                       them, without e-mail accounts, metadata and rejected records
--
-- The owner migrates, verifies and operates (offsets, rejected). Nobody else changes a decision.

DO $$
DECLARE
    name text;
    routine regprocedure;
BEGIN
    -- PostgreSQL lets everybody call a new function; of ours, only those that are listed below. The
    -- schema may hold functions of others, whose business is theirs.
    FOR routine IN
        SELECT pg_proc.oid FROM pg_proc INNER JOIN schema_functions ON proname = schema_functions.name
        WHERE pronamespace = current_schema()::regnamespace
    LOOP
        EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', routine);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['ingester_writer', 'ingester_refresher', 'ingester_reader'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
        -- What an older version of this file granted and this one does not must go.
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM %I', current_schema(), name);
        EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA %I FROM %I', current_schema(), name);
        EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA %I FROM %I', current_schema(), name);
        EXECUTE format('REVOKE ALL ON ALL PROCEDURES IN SCHEMA %I FROM %I', current_schema(), name);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), name);
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name);
    END LOOP;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    -- Repeats go through a temporary table.
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO ingester_writer', current_database());
END
$$;

-- The writer

GRANT SELECT, INSERT ON campaigns TO ingester_writer;
-- SELECT, because a repeat is compared with what is stored.
GRANT SELECT, INSERT ON campaign_events TO ingester_writer;
GRANT SELECT, INSERT, UPDATE ON ingest_offsets TO ingester_writer;
GRANT SELECT, INSERT ON ingest_batches TO ingester_writer;
GRANT USAGE ON SEQUENCE ingest_batch_ids TO ingester_writer;
GRANT INSERT ON rejected_events TO ingester_writer;
GRANT SELECT ON retention_floor TO ingester_writer;
-- Its metrics page says when the statistics were last refreshed.
GRANT SELECT ON stats_refreshes TO ingester_writer;
GRANT EXECUTE ON FUNCTION create_campaign_events_partition(date) TO ingester_writer;
GRANT EXECUTE ON FUNCTION campaign_events_partition_name(date) TO ingester_writer;
GRANT EXECUTE ON FUNCTION ingest_lock_key(text) TO ingester_writer;

-- The refresher

GRANT SELECT ON ingest_batches TO ingester_refresher;
GRANT SELECT ON retention_floor TO ingester_refresher;
GRANT SELECT ON dropped_partitions TO ingester_refresher;
-- For the dead-letter topic, where there is one.
GRANT SELECT, UPDATE (forwarded_at) ON rejected_events TO ingester_refresher;
GRANT SELECT, INSERT, DELETE ON stats_refreshes TO ingester_refresher;
GRANT EXECUTE ON FUNCTION refresh_campaign_stats(integer) TO ingester_refresher;
GRANT EXECUTE ON FUNCTION rebuild_campaign_stats(date, date) TO ingester_refresher;
GRANT EXECUTE ON FUNCTION summarize_campaign_events() TO ingester_refresher;
GRANT EXECUTE ON FUNCTION merge_ingest_batches(timestamptz) TO ingester_refresher;
GRANT EXECUTE ON FUNCTION create_campaign_events_partition(date) TO ingester_refresher;
GRANT EXECUTE ON FUNCTION campaign_events_partition_name(date) TO ingester_refresher;
GRANT EXECUTE ON PROCEDURE drop_old_campaign_events_partitions(integer) TO ingester_refresher;
GRANT EXECUTE ON FUNCTION raise_retention_floor(date) TO ingester_refresher;
GRANT EXECUTE ON FUNCTION campaign_events_partition_contents(date) TO ingester_refresher;
GRANT EXECUTE ON FUNCTION retire_campaign_events_partition(date, jsonb) TO ingester_refresher;
GRANT EXECUTE ON FUNCTION drop_retired_campaign_events_partition(date) TO ingester_refresher;

-- The reader

GRANT SELECT ON campaign_daily_stats, campaign_weekly_stats, campaign_monthly_stats
TO ingester_reader;
GRANT EXECUTE ON FUNCTION get_campaign_stats(text [], date, date, text) TO ingester_reader;
GRANT EXECUTE ON FUNCTION campaign_stats_as_of() TO ingester_reader;
GRANT SELECT ON campaigns TO ingester_reader;
GRANT SELECT ON campaign_daily_rollup, campaign_weekly_rollup, campaign_monthly_rollup
TO ingester_reader;
-- The history of a campaign and `ingester why`. Through the table, not the leaves; and not the
-- columns that may say something of a person.
GRANT SELECT (event_id, occurred_at, batch_id, campaign_key, event_count, event_type)
ON campaign_events TO ingester_reader;
GRANT SELECT ON ingest_batches TO ingester_reader;
GRANT SELECT ON retention_floor TO ingester_reader;
-- What the legacy table was called; whether it may be read is for its own grants.
GRANT SELECT ON replay_state TO ingester_reader;
-- The dashboard's operations page: progress and counts, no content of a reject.
GRANT SELECT ON ingest_offsets, stats_refreshes, replay_ranges TO ingester_reader;
GRANT SELECT (reason_code, state) ON rejected_events TO ingester_reader;
GRANT SELECT (step, taken_at) ON migration_audit TO ingester_reader;

-- The leaves that exist; new ones are granted by the function that makes them

DO $$
DECLARE
    leaf regclass;
BEGIN
    FOR leaf IN
        SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'campaign_events'::regclass
    LOOP
        EXECUTE format('GRANT SELECT, INSERT ON %s TO ingester_writer', leaf);
    END LOOP;
END
$$;
