"""Campaign events from Kafka to PostgreSQL, exactly once, and the statistics from them.

In the order a record travels:

    event         the contract: one pydantic model; contract prints it for other programs
    decoder       bytes → event or rejected; pure
    breaker       stops a stream that is nearly all refused; pure
    divergence    how a stored offset and its topic part ways, and what goes on; pure
    batch         slices of partitions until full; pure
    binary_copy   events → rows of binary COPY; pure
    encoded       slices → sorted rows, repeats split off; pure
    kafka         the edge to Kafka, the only module that imports confluent_kafka
    store         the edge to PostgreSQL; only it and repository import psycopg
    repository    statistics for applications, over a pool of connections, without Kafka
    producer      publishes an application's events     new_event     one of them, before it is sent
    pipeline      poll → decode → batch → write → hint, on abstract source, store and clock
    observing     metrics, health and the watch over both, on one port
    stage         named points in the life of a batch: logged, timed, and where tests kill
    worker        one consumer process        supervisor    N of them
    refresher     folds new events into the statistics        maintenance   keeps house
    quarantine    rejects published again or discarded
    dead_letters  rejects forwarded to a topic of their own, where it is wanted
    verification  the proof that everything balances
    simulation    realistic traffic, from a seed
    standing      how the whole stands: lag, freshness, months, storage, rejects; pure
    dashboard     the live page and its JSON API
    cli           the command line; commands has one file each

Everything raises the errors of `errors`, is set up by `settings` and speaks through `logs`.
"""
