-- The statements of `replay generate`, by name: a legacy table made from nothing.

-- name: comment_of_table
-- The mark of a table that we made; null where there is none, no row where there is no table.
SELECT relkind AS kind, obj_description(oid, 'pg_class') AS comment
FROM pg_class WHERE oid = to_regclass(quote_ident(%(name)s));

-- name: drop_generated
DROP TABLE {table};

-- name: create_generated
CREATE TABLE {table} (
    id varchar(255) NOT NULL,
    admin_uuid varchar(255),
    campaign_id varchar(255),
    campaign_id_int integer,
    stat_date date,
    sent integer NOT NULL DEFAULT 0,
    opened integer NOT NULL DEFAULT 0,
    clicked integer NOT NULL DEFAULT 0,
    replied integer NOT NULL DEFAULT 0,
    positive_replies integer NOT NULL DEFAULT 0,
    bounced integer NOT NULL DEFAULT 0,
    created_at timestamptz,
    updated_at timestamptz
);

-- name: create_generated_parts
CREATE TEMPORARY TABLE generated_campaigns (
    number integer, campaign_id text, admin_uuid text, first_date date
) ON COMMIT DROP;
CREATE TEMPORARY TABLE generated_values (
    number integer, stat_date date, sent integer, opened integer,
    clicked integer, replied integer, positive_replies integer
) ON COMMIT DROP;

-- name: copy_generated_campaigns
COPY generated_campaigns FROM STDIN;

-- name: copy_generated_values
COPY generated_values FROM STDIN;

-- name: analyze_generated_parts
ANALYZE generated_campaigns, generated_values;

-- name: insert_generated
-- As the legacy job wrote them: each night one row per campaign that existed, looked at again later
-- where it had a value.
INSERT INTO {table} (
    id, admin_uuid, campaign_id, campaign_id_int, stat_date,
    sent, opened, clicked, replied, positive_replies, created_at, updated_at
)
SELECT
    md5(concat_ws(' ', %(seed)s, campaign.campaign_id, day.stat_date))::uuid::text AS id,
    campaign.admin_uuid,
    campaign.campaign_id,
    campaign.number AS campaign_id_int,
    day.stat_date,
    coalesce(part.sent, 0) AS sent,
    coalesce(part.opened, 0) AS opened,
    coalesce(part.clicked, 0) AS clicked,
    coalesce(part.replied, 0) AS replied,
    coalesce(part.positive_replies, 0) AS positive_replies,
    (day.stat_date + 1 + make_interval(hours => 2, secs => campaign.number / 100.0))
    AT TIME ZONE 'UTC' AS created_at,
    (
        day.stat_date + 1
        + make_interval(
            hours => CASE WHEN part.number IS NULL THEN 2 ELSE 14 END,
            secs => campaign.number / 100.0
        )
    ) AT TIME ZONE 'UTC' AS updated_at
FROM generated_campaigns AS campaign
CROSS JOIN LATERAL (
    SELECT each::date AS stat_date
    FROM generate_series(
        greatest(campaign.first_date, %(first)s)::timestamp,
        %(last)s::timestamp, interval '1 day'
    ) AS each
) AS day
LEFT JOIN generated_values AS part USING (number, stat_date)
ORDER BY day.stat_date, campaign.number;

-- name: generated_workspace
-- For building nine indexes at once; lasts for the transaction.
SET LOCAL maintenance_work_mem = '256MB';

-- name: index_primary_key
ALTER TABLE {table} ADD PRIMARY KEY (id);

-- name: index_unique
ALTER TABLE {table} ADD UNIQUE (campaign_id, stat_date);

-- name: index_campaign_id
CREATE INDEX ON {table} (campaign_id);

-- name: index_campaign_id_int
CREATE INDEX ON {table} (campaign_id_int);

-- name: index_admin_uuid
CREATE INDEX ON {table} (admin_uuid);

-- name: index_stat_date
CREATE INDEX ON {table} (stat_date);

-- name: index_campaign_latest
CREATE INDEX ON {table} (campaign_id, stat_date DESC);

-- name: index_admin_campaigns
CREATE INDEX ON {table} (admin_uuid, stat_date, campaign_id_int);

-- name: index_admin_latest
CREATE INDEX ON {table} (admin_uuid, stat_date DESC);

-- name: generated_figures
-- What the finished table really holds, to be compared with what it should.
SELECT
    count(*) AS rows,
    count(*) FILTER (
        WHERE sent + opened + replied + positive_replies + bounced > 0
    ) AS headline_rows,
    count(*) FILTER (
        WHERE sent + opened + replied + positive_replies + bounced = 0 AND clicked > 0
    ) AS clicks_only_rows,
    count(nullif(sent, 0)) + count(nullif(opened, 0)) + count(nullif(replied, 0))
    + count(nullif(positive_replies, 0)) + count(nullif(bounced, 0)) AS headline_values,
    sum(sent) AS sent,
    sum(opened) AS opened,
    sum(replied) AS replied,
    sum(positive_replies) AS positive_replies,
    sum(bounced) AS bounced,
    count(DISTINCT campaign_id_int) AS campaigns
FROM {table};

-- name: vacuum_generated
-- Visibility and statistics as a table has them that has stood for years.
VACUUM (ANALYZE) {table};

-- name: generated_bytes
SELECT
    pg_total_relation_size(oid) AS total_bytes,
    pg_table_size(oid) AS table_bytes
FROM pg_class WHERE oid = to_regclass(quote_ident(%(name)s));

-- name: mark_generated
-- The last one of the file: sqlfluff reads no further than a comment that is not a constant.
COMMENT ON TABLE {table} IS {mark}; -- noqa: PRS
