-- What the replay of the legacy table remembers: its cut, how far it came, what events do not hold.

CREATE TABLE replay_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    cut_date date NOT NULL,
    legacy_table text NOT NULL,
    topic text NOT NULL,
    cluster_id text NOT NULL,
    topic_id text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE replay_state IS
    'One row, written by the first replay run: the cut and the topic that every later run must share.';
COMMENT ON COLUMN replay_state.cut_date IS
    'Rows of earlier days are replayed; from 00:00 UTC of this day on, days belong to live producers.';

CREATE TABLE replay_ranges (
    first_date date PRIMARY KEY,
    end_date date NOT NULL CHECK (end_date > first_date),
    planned_rows bigint NOT NULL,
    planned_events bigint NOT NULL,
    rows bigint,
    events bigint,
    sent numeric,
    opened numeric,
    clicked numeric,
    replied numeric,
    positive_replies numeric,
    bounced numeric,
    published_at timestamptz,
    acknowledged_at timestamptz,
    CHECK (acknowledged_at >= published_at),
    CHECK (
        num_nulls(
            rows, events, sent, opened, clicked, replied, positive_replies, bounced,
            published_at, acknowledged_at
        ) IN (0, 10)
    )
);
COMMENT ON TABLE replay_ranges IS
    'The replay''s ledger: days [first_date, end_date) as planned and, once all replicas have them, as published.';

CREATE TABLE replay_watermarks (
    partition integer PRIMARY KEY CHECK (partition >= 0),
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE replay_watermarks IS
    'Every acknowledged replay event of a partition lies before next_offset; never goes down.';

CREATE TABLE campaign_attributes (
    campaign_id text COLLATE "C" PRIMARY KEY,
    admin_uuid text,
    campaign_id_int bigint
);
COMMENT ON TABLE campaign_attributes IS
    'What the legacy table knew of a campaign beyond its statistics, as of its latest day.';
