-- A day that came as a whole, as every day of the legacy table did, was last active at its first
-- moment: stored as null, since eight bytes a row are a tenth of the table. Null is the least value
-- of greatest(), so folding needs no case for it.
ALTER TABLE campaign_daily_rollup ALTER COLUMN last_activity DROP NOT NULL;
COMMENT ON COLUMN campaign_daily_rollup.last_activity IS
    'When the last event of the day happened; null: at 00:00 UTC.';

CREATE OR REPLACE VIEW campaign_daily_stats AS
SELECT
    campaigns.campaign_id,
    rollup.event_date,
    coalesce(rollup.sent, 0) AS sent,
    coalesce(rollup.opened, 0) AS opened,
    coalesce(rollup.clicked, 0) AS clicked,
    coalesce(rollup.replied, 0) AS replied,
    coalesce(rollup.positive_replies, 0) AS positive_replies,
    coalesce(rollup.bounced, 0) AS bounced,
    coalesce(rollup.last_activity, rollup.event_date::timestamp AT TIME ZONE 'UTC') AS last_activity
FROM campaign_daily_rollup AS rollup
INNER JOIN campaigns USING (campaign_key);

-- Checksums weigh days instead of values: the function of this name has another signature now.
DROP FUNCTION IF EXISTS replay_value_hash(text, date, text, bigint);

-- A month of all campaigns is what overviews ask for; entries of one month are stored as one, so
-- that this index is a third of the key's size. Updates of the metrics do not touch it.
CREATE INDEX campaign_monthly_rollup_month_start ON campaign_monthly_rollup (month_start);
