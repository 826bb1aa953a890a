-- What people do to a running system: who, when, why and what range; written once, never changed.

CREATE TABLE operator_actions (
    action_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action text NOT NULL,
    topic text,
    partition integer,
    first_offset bigint,
    next_offset bigint,
    detail jsonb NOT NULL DEFAULT '{}',
    why text NOT NULL CHECK (why <> ''),
    operator text NOT NULL,
    database_role text NOT NULL DEFAULT session_user,
    acted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (next_offset >= first_offset)
);
CREATE INDEX operator_actions_topic ON operator_actions (topic, action_id);
COMMENT ON TABLE operator_actions IS
    'Append-only: what an operator decided (adopt, accept_gap, requeue, discard, …). UPDATE, DELETE and TRUNCATE are refused.';
COMMENT ON COLUMN operator_actions.first_offset IS
    'adopt: where the ledger began that the decision closed; accept_gap: the first offset given up.';

CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', tg_table_name
        USING ERRCODE = 'insufficient_privilege', HINT = 'Write another row that says what changed.';
END
$$;
COMMENT ON FUNCTION refuse_change() IS 'Keeps an append-only table append-only.';

CREATE TRIGGER operator_actions_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON operator_actions
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- When a partition's position is given up (its topic was made again, truncated, or swapped), the
-- ledger so far is closed and a new one begins; both stay contiguous, each on its own.
ALTER TABLE ingest_batches ADD COLUMN closed_by bigint;
COMMENT ON COLUMN ingest_batches.closed_by IS
    'The decision (operator_actions) that closed the ledger this row belongs to; null: the current one.';

ALTER TABLE rejected_events
    ADD COLUMN attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN forwarded_at timestamptz;
COMMENT ON COLUMN rejected_events.attempts IS 'How often it was published again.';
COMMENT ON COLUMN rejected_events.forwarded_at IS
    'When it was delivered to the dead-letter topic; null: not yet, or forwarding is off.';
-- A mark on each row and no watermark: reject_id comes from a sequence, which is not commit order.
CREATE INDEX rejected_events_unforwarded ON rejected_events (reject_id) WHERE forwarded_at IS NULL;
