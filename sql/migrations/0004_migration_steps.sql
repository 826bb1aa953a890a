-- What the migration from the legacy table writes down: corrections before they are published, and
-- every step that was taken.

-- A correction is planned here first and published from here only, so that a kill, a repeat or a
-- second process can publish nothing but these ids, whose repeats the ingester drops.
CREATE TABLE replay_corrections (
    campaign_id text COLLATE "C" NOT NULL,
    stat_date date NOT NULL,
    metric text NOT NULL CHECK (
        metric IN ('sent', 'opened', 'clicked', 'replied', 'positive_replies', 'bounced')
    ),
    revision integer NOT NULL CHECK (revision >= 1),
    row_id text,
    delta integer NOT NULL CHECK (delta <> 0),
    event_id uuid NOT NULL,
    planned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    acknowledged_at timestamptz,
    PRIMARY KEY (campaign_id, stat_date, metric, revision)
);
CREATE INDEX replay_corrections_unacknowledged
ON replay_corrections (campaign_id, stat_date, metric, revision)
WHERE acknowledged_at IS NULL;
COMMENT ON TABLE replay_corrections IS
    'What `replay sync` publishes: rows of the legacy table that changed after they were replayed.';
COMMENT ON COLUMN replay_corrections.row_id IS
    'The legacy row that holds the value now; null where the row has gone.';

CREATE TABLE migration_audit (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    step text NOT NULL CHECK (step IN ('sync', 'cutover', 'rollback', 'drop-legacy')),
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    taken_by text NOT NULL,
    evidence text NOT NULL,
    evidence_sha256 text NOT NULL
        CHECK (evidence_sha256 = encode(sha256(convert_to(evidence, 'UTF8')), 'hex'))
);
COMMENT ON TABLE migration_audit IS 'Every step of the migration; rows are only ever added.';
COMMENT ON COLUMN migration_audit.evidence IS
    'A JSON document: what was true when the step was taken, as it was hashed.';

-- Stands here and not in functions/: the trigger below needs it first.
CREATE FUNCTION refuse_migration_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'migration_audit is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
COMMENT ON FUNCTION refuse_migration_audit_change() IS 'Keeps migration_audit append-only.';

CREATE TRIGGER migration_audit_is_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON migration_audit
FOR EACH STATEMENT EXECUTE FUNCTION refuse_migration_audit_change();
