-- The tables of the system. Works on PostgreSQL 15 to 18, needs no extension.

CREATE TYPE campaign_event_type AS ENUM
    ('sent', 'opened', 'clicked', 'replied', 'positive_reply', 'bounced');

CREATE TABLE campaigns (
    campaign_key integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign_id text COLLATE "C" NOT NULL UNIQUE
        CHECK (char_length(campaign_id) BETWEEN 1 AND 255)
);
COMMENT ON TABLE campaigns IS
    'Every campaign id once; everything else refers to it by its four-byte key.';

-- Fixed-width columns first, widest first, so that a row carries no padding.
-- No CHECK, no foreign key: the ingester has validated the row, and this is the hot path.
CREATE TABLE campaign_events (
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    batch_id bigint NOT NULL,
    campaign_key integer NOT NULL,
    event_count integer NOT NULL,
    event_type campaign_event_type NOT NULL,
    email_account_id text,
    metadata jsonb,
    PRIMARY KEY (occurred_at, campaign_key, event_id)
) PARTITION BY RANGE (occurred_at);
COMMENT ON TABLE campaign_events IS
    'What happened, one row per event; monthly leaves campaign_events_YYYY_MM, no default leaf.';
COMMENT ON COLUMN campaign_events.batch_id IS
    'The ledger row (ingest_batches) that names the topic, partition and offset range it came from.';

-- The refresher reads new events by batch; batches grow with the heap, so a small BRIN does.
CREATE INDEX campaign_events_batch_id ON campaign_events USING brin (batch_id)
    WITH (pages_per_range = 16);

CREATE TABLE ingest_offsets (
    topic text NOT NULL,
    partition integer NOT NULL CHECK (partition >= 0),
    first_offset bigint NOT NULL CHECK (first_offset >= 0),
    next_offset bigint NOT NULL,
    leader_epoch integer,
    cluster_id text,
    topic_id text,
    records bigint NOT NULL DEFAULT 0,
    inserted bigint NOT NULL DEFAULT 0,
    duplicates bigint NOT NULL DEFAULT 0,
    conflicting bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition),
    CHECK (records = inserted + duplicates + rejected),
    CHECK (conflicting BETWEEN 0 AND duplicates),
    CHECK (next_offset >= first_offset)
) WITH (fillfactor = 50);
COMMENT ON TABLE ingest_offsets IS
    'The authority on progress: the next Kafka offset of each partition, moved with the events.';
COMMENT ON COLUMN ingest_offsets.first_offset IS 'Where the ledger of this partition begins.';

-- batch_id comes from a sequence that the writers read ahead of the transaction: gaps are normal.
CREATE SEQUENCE ingest_batch_ids AS bigint;

CREATE TABLE ingest_batches (
    batch_id bigint PRIMARY KEY,
    topic text,
    topic_id text,
    partition integer,
    first_offset bigint,
    next_offset bigint,
    records bigint NOT NULL,
    inserted bigint NOT NULL,
    duplicates bigint NOT NULL,
    conflicting bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL,
    dropped bigint NOT NULL DEFAULT 0,
    min_occurred_at timestamptz,
    max_occurred_at timestamptz,
    ingested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    folded_at timestamptz,
    merged_batch_ids bigint [],
    CHECK (records = inserted + duplicates + rejected),
    CHECK (conflicting BETWEEN 0 AND duplicates),
    CHECK (dropped BETWEEN 0 AND inserted),
    CHECK (num_nulls(topic, partition, first_offset, next_offset) IN (0, 4)),
    CHECK (next_offset > first_offset),
    CHECK (inserted = 0 OR num_nulls(min_occurred_at, max_occurred_at) = 0)
);
ALTER SEQUENCE ingest_batch_ids OWNED BY ingest_batches.batch_id;
CREATE INDEX ingest_batches_unfolded ON ingest_batches (batch_id) WHERE folded_at IS NULL;
COMMENT ON TABLE ingest_batches IS
    'The ledger: one row per partition and transaction. Null topic: written without Kafka.';
COMMENT ON COLUMN ingest_batches.dropped IS
    'How many of the inserted events have since left with a month below the retention floor.';
COMMENT ON COLUMN ingest_batches.merged_batch_ids IS
    'For a row that stands for several neighbouring batches: their ids, as the events carry them.';

CREATE TABLE rejected_events (
    reject_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id bigint NOT NULL,
    topic text NOT NULL,
    topic_id text,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    key bytea,
    value bytea,
    value_bytes bigint NOT NULL,
    value_sha256 bytea NOT NULL,
    headers jsonb NOT NULL DEFAULT '[]',
    reason_code text NOT NULL,
    detail text NOT NULL,
    rejected_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'requeued', 'discarded'))
);
COMMENT ON TABLE rejected_events IS
    'Records that are not events, with their original bytes and the reason; written with their batch.';
COMMENT ON COLUMN rejected_events.value IS
    'Null for a tombstone; of a value above 1 MiB the first 64 KiB (value_bytes and value_sha256 are of the whole).';
COMMENT ON COLUMN rejected_events.headers IS 'JSON array of [name, base64 value or null].';

-- Zeros are stored as nulls: a typical row has one or two metrics.
CREATE TABLE campaign_daily_rollup (
    campaign_key integer NOT NULL,
    event_date date NOT NULL,
    last_activity timestamptz NOT NULL,
    sent bigint,
    opened bigint,
    clicked bigint,
    replied bigint,
    positive_replies bigint,
    bounced bigint,
    PRIMARY KEY (campaign_key, event_date)
);
COMMENT ON TABLE campaign_daily_rollup IS 'Sum of all folded events per campaign and UTC day.';

CREATE TABLE campaign_weekly_rollup (
    campaign_key integer NOT NULL,
    week_start date NOT NULL,
    last_activity timestamptz NOT NULL,
    sent bigint,
    opened bigint,
    clicked bigint,
    replied bigint,
    positive_replies bigint,
    bounced bigint,
    PRIMARY KEY (campaign_key, week_start)
);
COMMENT ON TABLE campaign_weekly_rollup IS 'Sum of all folded events per campaign and ISO week.';

CREATE TABLE campaign_monthly_rollup (
    campaign_key integer NOT NULL,
    month_start date NOT NULL,
    last_activity timestamptz NOT NULL,
    sent bigint,
    opened bigint,
    clicked bigint,
    replied bigint,
    positive_replies bigint,
    bounced bigint,
    PRIMARY KEY (campaign_key, month_start)
);
COMMENT ON TABLE campaign_monthly_rollup IS 'Sum of all folded events per campaign and month.';

CREATE TABLE stats_refreshes (
    refresh_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started timestamptz NOT NULL,
    finished timestamptz NOT NULL DEFAULT clock_timestamp(),
    batches bigint NOT NULL DEFAULT 0,
    events bigint NOT NULL DEFAULT 0,
    error text
);
COMMENT ON TABLE stats_refreshes IS
    'One row per refresh that folded something, and one per refresh that failed.';

-- One row. Events before the floor are rejected, leaves before it are dropped; it never goes down.
CREATE TABLE retention_floor (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    floor_date date NOT NULL DEFAULT '-infinity'
);
INSERT INTO retention_floor DEFAULT VALUES;
COMMENT ON TABLE retention_floor IS
    'The first day whose events are kept; read by every batch under the floor lock.';

CREATE TABLE dropped_partitions (
    month_start date PRIMARY KEY,
    events bigint NOT NULL,
    sent bigint NOT NULL,
    opened bigint NOT NULL,
    clicked bigint NOT NULL,
    replied bigint NOT NULL,
    positive_replies bigint NOT NULL,
    bounced bigint NOT NULL,
    dropped_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE dropped_partitions IS
    'What left with each dropped month, so that verification still balances.';
