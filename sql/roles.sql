-- Least privilege: four group roles to grant to logins. Run after every migration
-- (`ingester migrate --roles`, or psql -f); safe to run again. Roles belong to the whole server,
-- privileges to this database and to the connection's schema.
--
--   ingester_owner      owns everything of ours, so that our SECURITY DEFINER functions run as it;
--                       migrates, verifies and operates (offsets, rejected)
--   ingester_writer     ingester run: adds events, moves offsets; no DDL, no UPDATE of events
--   ingester_refresher  ingester refresh: folds, makes and drops partitions through functions only
--   ingester_reader     applications and dashboards: statistics, and the events and ledger behind
--                       them, without e-mail accounts, metadata and rejected records
--
-- Who may run it: at first a superuser, or a login with CREATEROLE that owns the database, the
-- schema and what was migrated; once the roles own and hold what they must, a member of
-- ingester_owner, too.

-- The roles, and what they may do with database and schema. Only what is missing is done, so that
-- a login that may not do it has nothing to do.

DO $$
DECLARE
    name text;
    missing record;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'ingester_owner', 'ingester_writer', 'ingester_refresher', 'ingester_reader'
    ] LOOP
        IF to_regrole(name) IS NULL THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
    FOR missing IN
        WITH place AS (
            SELECT
                'SCHEMA' AS kind, nspname AS name, nspowner AS owner,
                coalesce(nspacl, acldefault('n', nspowner)) AS privileges
            FROM pg_namespace WHERE oid = current_schema()::regnamespace
            UNION ALL
            SELECT 'DATABASE', datname, datdba, coalesce(datacl, acldefault('d', datdba))
            FROM pg_database WHERE datname = current_database()
        )
        SELECT place.*, format(
            'GRANT %s ON %s %I TO %s', wanted.privilege, place.kind, place.name, wanted.grantee
        ) AS statement
        FROM place
        INNER JOIN (VALUES
            ('ingester_owner', 'SCHEMA', 'USAGE'),
            ('ingester_owner', 'SCHEMA', 'CREATE'),
            ('ingester_owner', 'DATABASE', 'CONNECT'),
            ('ingester_owner', 'DATABASE', 'TEMPORARY'),
            ('ingester_writer', 'SCHEMA', 'USAGE'),
            ('ingester_writer', 'DATABASE', 'CONNECT'),
            -- Repeats go through a temporary table.
            ('ingester_writer', 'DATABASE', 'TEMPORARY'),
            ('ingester_refresher', 'SCHEMA', 'USAGE'),
            ('ingester_refresher', 'DATABASE', 'CONNECT'),
            ('ingester_reader', 'SCHEMA', 'USAGE'),
            ('ingester_reader', 'DATABASE', 'CONNECT')
        ) AS wanted (grantee, kind, privilege) ON place.kind = wanted.kind
        WHERE NOT EXISTS (
            SELECT 1 FROM aclexplode(place.privileges) AS acl
            WHERE acl.grantee = to_regrole(wanted.grantee)
                AND acl.privilege_type = wanted.privilege
        )
        UNION ALL
        SELECT place.*, format(
            'REVOKE %s ON %s %I FROM PUBLIC', acl.privilege_type, place.kind, place.name
        )
        FROM place CROSS JOIN LATERAL aclexplode(place.privileges) AS acl
        WHERE acl.grantee = 0 AND (place.kind = 'DATABASE' OR acl.privilege_type = 'CREATE')
    LOOP
        -- PostgreSQL itself only warns where somebody else's privileges are granted.
        IF NOT pg_has_role(missing.owner, 'USAGE') THEN
            RAISE EXCEPTION '% needs the owner of the %, %',
                missing.statement, lower(missing.kind), missing.owner::regrole
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        EXECUTE missing.statement;
    END LOOP;
END
$$;

-- What is ours goes to ingester_owner, and nothing else in the schema does: the legacy table, the
-- view that takes its name at the cutover, and whatever anybody else keeps there stay theirs.

DO $$
DECLARE
    owner oid := 'ingester_owner'::regrole;
    -- To give something to a role needs SET where PostgreSQL knows it (16), and whoever made the
    -- role has ADMIN alone.
    becoming text := CASE
        WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER'
    END;
    relations regclass [] := ARRAY(
        SELECT oid FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND (
            relname IN (
                'schema_migrations', 'schema_functions', 'campaigns', 'campaign_events',
                'ingest_offsets', 'ingest_batches', 'rejected_events', 'operator_actions',
                'campaign_daily_rollup', 'campaign_weekly_rollup', 'campaign_monthly_rollup',
                'campaign_daily_stats', 'campaign_weekly_stats', 'campaign_monthly_stats',
                'stats_refreshes', 'retention_floor', 'dropped_partitions', 'campaign_attributes',
                'replay_state', 'replay_ranges', 'replay_watermarks', 'replay_corrections',
                'migration_audit'
            )
            OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'campaign_events'::regclass)
            -- Leaves that are detached and about to be dropped. No function of ours is called here,
            -- since this may run as a superuser.
            OR relname IN (
                SELECT to_char(month_start::timestamp, '"campaign_events_"YYYY_MM') FROM dropped_partitions
            )
        )
    );
    routines regprocedure [] := ARRAY(
        SELECT oid FROM pg_proc
        WHERE pronamespace = current_schema()::regnamespace AND (
            proname IN (SELECT name FROM schema_functions)
            -- Those of triggers are made by migrations.
            OR proname IN ('refuse_change', 'refuse_migration_audit_change')
        )
    );
    login regrole;
    relation regclass;
    routine regprocedure;
BEGIN
    -- Whoever owned it so far becomes a member, so that what runs under that login goes on.
    FOR login IN
        SELECT current_user::regrole
        UNION SELECT relowner FROM pg_class WHERE oid = ANY(relations)
        UNION SELECT proowner FROM pg_proc WHERE oid = ANY(routines)
    LOOP
        IF NOT pg_has_role(login, owner, becoming) THEN
            EXECUTE format('GRANT ingester_owner TO %s', login);
        END IF;
    END LOOP;
    -- Indexes, sequences and row types follow their tables. REVOKE, because what an older version
    -- of this file granted and this one does not must go.
    FOREACH relation IN ARRAY relations LOOP
        IF owner <> (SELECT relowner FROM pg_class WHERE oid = relation) THEN
            EXECUTE format('ALTER TABLE %s OWNER TO ingester_owner', relation);
        END IF;
        EXECUTE format(
            'REVOKE ALL ON %s FROM ingester_writer, ingester_refresher, ingester_reader', relation
        );
    END LOOP;
    FOR relation IN
        SELECT objid FROM pg_depend
        WHERE classid = 'pg_class'::regclass AND refobjid = ANY(relations)
            AND objid IN (SELECT oid FROM pg_class WHERE relkind = 'S')
    LOOP
        EXECUTE format(
            'REVOKE ALL ON SEQUENCE %s FROM ingester_writer, ingester_refresher, ingester_reader',
            relation
        );
    END LOOP;
    -- PostgreSQL lets everybody call a new function; of ours, only those that are listed below.
    FOREACH routine IN ARRAY routines LOOP
        IF owner <> (SELECT proowner FROM pg_proc WHERE oid = routine) THEN
            EXECUTE format('ALTER ROUTINE %s OWNER TO ingester_owner', routine);
        END IF;
        EXECUTE format(
            'REVOKE ALL ON ROUTINE %s FROM PUBLIC, ingester_writer, ingester_refresher, ingester_reader',
            routine
        );
    END LOOP;
    IF owner <> (SELECT typowner FROM pg_type WHERE oid = 'campaign_event_type'::regtype) THEN
        ALTER TYPE campaign_event_type OWNER TO ingester_owner;
    END IF;
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
