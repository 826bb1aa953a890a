"""The real commands, started as processes, signalled, killed, and judged by what they leave behind.

    process     an `ingester` process and its log, followed line by line
    ingester    starts such processes for one topic and one database
    traffic     records of every kind, drawn from a seed
    publish     puts them on a topic
    kills       workers killed at known stages of a batch; also a command of its own
    test_*      each file named after what must survive

Every test ends with `tests.checker`, which reads the topic again with another client and compares
it with the tables, record by record.
"""
