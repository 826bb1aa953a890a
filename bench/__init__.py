r"""What is measured against what; `README.md` says how to read the results.

Each bench is a command, prints a table and writes .local/bench/<name>-<time>.json:

    ingest         one and two workers against `psql \copy` of the same rows, and executemany
    duplicates     what repeated records cost
    scaling        one, two and four workers
    stages         processor time by stage of the write path, and the floors beside it
    refresh        folding 10,000 new events, with little and with much history
    refresh_views  folding them against REFRESH MATERIALIZED VIEW CONCURRENTLY
    freshness      from publishing to the view that dashboards read
    reading        dashboards while everything is ingested, and the reverse
    growth         all of it with a growing history and with more campaigns
    memory         one worker's peak, by kind of backlog
    migration      the whole migration, and dashboards on old and new, against plain SQL
    browsing       the dashboard: cold page to first chart, 32 open pages while events come in
    backup         pg_dump and pg_restore of the legacy table and of the new schema
    primary_key    the possible orders of the primary key of campaign_events
    peers          other ways from Kafka to PostgreSQL

What they are made of:

    servers        where Kafka and PostgreSQL are; topics of the bench's own
    database       a migrated database of the bench's own
    statements     the SQL, by name, in statements.sql
    traffic        a topic that is full before anything is measured
    producer       events that happen now, at a rate
    contest        sides that take turns, and are judged by the rows they leave
    worker, psql   one measured run of each
    writing        the write path in one thread, by stage
    live           worker and refresher as processes, while something else is measured
    history, past  a database with a past, in which new events arrive
    arrivals       new events, through the real write path
    readers        dashboards that ask all the time
    straight       the migration in plain SQL: the yardstick of bench.migration
    dashboard      queries asked of the old table and of the new statistics
    cpu            processor time of processes and servers
    conditions     commit, versions, hardware and server settings: what a figure is worth without
    report         median, min and max; tables; JSON
    page           what was measured, as docs/performance.md shows it (chart, sections)

Nothing here decides whether a test passes: figures depend on the machine.
"""
