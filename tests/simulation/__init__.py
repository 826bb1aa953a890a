"""The real pipeline and the real Kafka edge on a client, a database and a clock that misbehave.

    client      librdkafka at its worst: repeats, leftovers, revocations inside a poll
    database    the tables, with transactions; any statement may fail, any COMMIT lose its reply
    worker      one worker on them: `ingester.pipeline` and `ingester.kafka` as they are
    life        a random history of a group of workers, told from a seed
    guarantee   the guarantee's five sentences, and that work gets done
    planted     bugs to be planted, one at a time: what finds none of them proves nothing

`python -m tests.simulation --seeds 10000` (make simulate) runs as many seeds as one likes. A seed
that fails is kept in test_seeds.py.
"""
