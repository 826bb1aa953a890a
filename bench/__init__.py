r"""What is measured against what; `README.md` says how to read the results.

Each bench is a command, prints a table and writes .local/bench/<name>-<time>.json:

    ingest        one worker against `psql \copy` of the same rows
    refresh       folding 10,000 new events, with little and with much history
    migration     the whole migration, and dashboards on old and new, against plain SQL
    browsing      the dashboard: cold page to first chart, 32 open pages while events come in
    primary_key   the possible orders of the primary key of campaign_events

What they are made of:

    servers       where Kafka and PostgreSQL are; topics of the bench's own
    database      a migrated database of the bench's own; the only module that imports psycopg
    statements    the SQL, by name, in statements.sql
    traffic       a topic that is full before anything is measured
    worker, psql  one measured run of each
    history       a database with a past
    arrivals      new events, through the real write path
    straight      the migration in plain SQL: the yardstick of bench.migration
    dashboard     queries asked of the old table and of the new statistics
    cpu           processor time of processes and servers
    conditions    commit, versions, hardware and server settings: what a figure is worth without
    report        median, min and max; tables; JSON

Nothing here decides whether a test passes: figures depend on the machine.
"""
