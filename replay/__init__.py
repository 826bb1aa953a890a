"""The legacy replay: rows of `campaign_daily_stat_entries` as events, once, through the same topic.

In the order a row travels:

    legacy      the old table's shape, and what makes it unfit
    ranges      its days, cut into the ranges of the ledger; pure
    expand      one row → one event per metric; pure
    verification  is everything there? two proofs; pure
    correction  what changed since, as events; pure          sync     publishes them
    cutover     what must hold before the name changes hands; pure
    store       the edge to PostgreSQL, the only package here that imports psycopg
    generation  a synthetic old table, from a seed; pure
    cli         the command line; commands has one file each

Kafka is reached through `ingester.kafka` alone; errors are those of `ingester.errors`.
"""
