"""The live page of the statistics, and the JSON API behind it: `ingester dashboard`.

    server        listens, and leaves in time            app        puts the parts together
    access        who may ask; the headers of every answer
    question      what may be asked: ranges, pages, formats; pure
    answer        what is answered, as OpenAPI shows it; pure
    campaigns     routes: totals, trend, top, campaigns, events, why
    operations    routes: rate, lag, freshness, partitions, rejects, storage, migration
    shared        one answer for all who ask the same between two refreshes
    spreadsheet   rows as CSV; pure
    live          refreshes as server-sent events        lag        where Kafka's partitions end
    static/       the page: no build step, nothing from elsewhere

Statistics and events are read through `ingester.repository`, the rest through `ingester.store`,
always with a statement timeout; nothing here writes.
FastAPI and uvicorn come with the extra `dashboard`.
"""
