"""An independent judge: is every record of a topic exactly one of row, counted duplicate, reject?

It shares no line with the ingester, nor its Kafka client: the topic is read with kafka-python, the
tables with plain SQL, and the event contract is stated a second time, with the standard library.

    contract    what a record means: an event, or nothing that is one
    topic       every committed record of a topic
    tables      every row that came from it: events, rejects, ledger, offsets
    judge       the two compared, record by record; says what differs
    statistics  what dashboards read, held against the rows

`python -m tests.checker` judges the topic and the database that the environment names.
"""
