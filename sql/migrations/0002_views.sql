-- What dashboards read: the roll-ups under the campaign's own id, zeros as zeros.

CREATE VIEW campaign_daily_stats AS
SELECT
    campaigns.campaign_id,
    rollup.event_date,
    coalesce(rollup.sent, 0) AS sent,
    coalesce(rollup.opened, 0) AS opened,
    coalesce(rollup.clicked, 0) AS clicked,
    coalesce(rollup.replied, 0) AS replied,
    coalesce(rollup.positive_replies, 0) AS positive_replies,
    coalesce(rollup.bounced, 0) AS bounced,
    rollup.last_activity
FROM campaign_daily_rollup AS rollup
INNER JOIN campaigns USING (campaign_key);
COMMENT ON VIEW campaign_daily_stats IS 'Per campaign and UTC day; complete for all folded batches.';

CREATE VIEW campaign_weekly_stats AS
SELECT
    campaigns.campaign_id,
    rollup.week_start,
    coalesce(rollup.sent, 0) AS sent,
    coalesce(rollup.opened, 0) AS opened,
    coalesce(rollup.clicked, 0) AS clicked,
    coalesce(rollup.replied, 0) AS replied,
    coalesce(rollup.positive_replies, 0) AS positive_replies,
    coalesce(rollup.bounced, 0) AS bounced,
    rollup.last_activity
FROM campaign_weekly_rollup AS rollup
INNER JOIN campaigns USING (campaign_key);
COMMENT ON VIEW campaign_weekly_stats IS 'Per campaign and ISO week (week_start is its Monday).';

CREATE VIEW campaign_monthly_stats AS
SELECT
    campaigns.campaign_id,
    rollup.month_start,
    coalesce(rollup.sent, 0) AS sent,
    coalesce(rollup.opened, 0) AS opened,
    coalesce(rollup.clicked, 0) AS clicked,
    coalesce(rollup.replied, 0) AS replied,
    coalesce(rollup.positive_replies, 0) AS positive_replies,
    coalesce(rollup.bounced, 0) AS bounced,
    rollup.last_activity
FROM campaign_monthly_rollup AS rollup
INNER JOIN campaigns USING (campaign_key);
COMMENT ON VIEW campaign_monthly_stats IS 'Per campaign and calendar month (UTC).';
