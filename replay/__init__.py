"""The legacy replay: rows of `campaign_daily_stat_entries` as events, once, through the same topic.

Its commands land with the migration; until then this package is the place where they will be:

    legacy    reads the old table          expand    one row → one event per metric
    publish   resumable, throttled         verify    equal to the last unit
    cutover   the old name, the new statistics
"""
