"""The real commands, started as processes, signalled, killed, and judged by what they leave behind.

    process     an `ingester` process and its log, followed line by line
    ingester    starts such processes for one topic and one database
    traffic     records of every kind, drawn from a seed
    publish     puts them on a topic
    page        what a process serves on its metrics port
    load        puts them there at a steady pace while something else is disturbed
    killing     workers killed at known stages of a batch; `kills` is its command, for any size
    test_*      each file named after what must survive

Every test ends with `tests.checker`, which reads the topic again with another client and compares
it with the tables, record by record.
"""
