"""The statistics that dashboards read, held against the events with plain SQL."""

from typing import Final

import psycopg

_VIEWS: Final = {
    "campaign_daily_stats": ("event_date", "day"),
    "campaign_weekly_stats": ("week_start", "week"),
    "campaign_monthly_stats": ("month_start", "month"),
}
_DIFFERENT: Final = """
    WITH
    real AS (
        SELECT
            campaign_id, date_trunc('{unit}', occurred_at AT TIME ZONE 'UTC')::date,
            coalesce(sum(event_count) FILTER (WHERE event_type = 'sent'), 0),
            coalesce(sum(event_count) FILTER (WHERE event_type = 'opened'), 0),
            coalesce(sum(event_count) FILTER (WHERE event_type = 'clicked'), 0),
            coalesce(sum(event_count) FILTER (WHERE event_type = 'replied'), 0),
            coalesce(sum(event_count) FILTER (WHERE event_type = 'positive_reply'), 0),
            coalesce(sum(event_count) FILTER (WHERE event_type = 'bounced'), 0),
            max(occurred_at)
        FROM campaign_events JOIN campaigns USING (campaign_key) GROUP BY 1, 2
    ),
    told AS (
        SELECT
            campaign_id, {period}, sent, opened, clicked, replied, positive_replies, bounced,
            last_activity
        FROM {view}
    )
    SELECT count(*) FROM (
        (TABLE real EXCEPT ALL TABLE told) UNION ALL (TABLE told EXCEPT ALL TABLE real)
    ) AS different
"""


def wrong_statistics(database_url: str) -> list[str]:
    """Which views differ from the events. Everything must have been folded, and nothing dropped."""
    wrong = []
    with psycopg.connect(database_url) as connection:
        for view, (period, unit) in _VIEWS.items():
            query = _DIFFERENT.format(view=view, period=period, unit=unit)
            (rows,) = connection.execute(query.encode()).fetchone() or (0,)
            if rows:
                wrong.append(f"{view}: {rows} rows differ from the events")
    return wrong
