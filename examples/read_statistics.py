"""Reads the statistics of a campaign; needs DATABASE_URL and no more than ingester_reader."""

from datetime import UTC, datetime, timedelta

from ingester.repository import PostgresRepository

today = datetime.now(UTC).date()
month_ago = today - timedelta(days=29)

with PostgresRepository.connect() as repository:
    stats = repository.get_stats("spring-sale", month_ago, today)
    print(f"sent {stats.metrics.sent}, open rate {stats.metrics.open_rate}, as of {stats.as_of}")

    by_week = repository.get_stats_for_campaigns(["spring-sale"], month_ago, today, "week")
    for week in by_week.campaigns[0].periods:
        print(f"week of {week.period_start:%Y-%m-%d}: opened {week.metrics.opened}")

    totals = repository.get_aggregated_totals_for_campaigns(["spring-sale", "never-heard-of"])
    for each in totals.campaigns:
        print(f"{each.campaign_id}: replied {each.metrics.replied}, last on {each.last_reply_date}")

    page = repository.get_event_history("spring-sale", limit=2)
    while page.events:
        for event in page.events:
            print(f"{event.occurred_at} {event.event_type} x {event.count}")
        if page.next_before is None:
            break
        page = repository.get_event_history("spring-sale", before=page.next_before, limit=2)

    told = repository.explain("spring-sale", today)
    for explained in told.events:
        source = explained.source
        print(f"from {source.topic}[{source.partition}], offset {source.first_offset} and later")
