"""Real workers, a real broker and a real database, broken on purpose, again and again, and judged.

    point       runs a worker that kills or stops itself at a named stage
    proxy       between worker and PostgreSQL: cuts, stalls, slows, swallows replies to COMMIT
    cluster     three brokers that may be killed one at a time
    filling     a small file system that is filled and emptied
    grounds     the servers that rounds are fought on
    arena       one round's topic, database, workers and load
    kill, pause, reply, connection, crash, disk, broker, silence, upgrade, membership, changed
                the kinds
    kinds       their list: how many make a round, how many are wanted
    witness     what /livez, /readyz and the metrics say meanwhile, held against the truth
    soak        a worker and a refresher weighed for half an hour and more
    scales      what they weigh, and whether they grow
    slices      runs of the soak add up to one verdict
    report      rounds add up in one file; lanes take their next round from it
    shown       the report as a table
    sources     what is tried: figures stand while it does not change

A round breaks something some ten times under load, lets one worker read to the end, and asks
`tests.checker`: every record exactly once, nothing else, and statistics that equal the rows.
`make faults` runs rounds until the figures are reached or the time is up, and goes on there the
next time; the test suite runs a short round of most kinds.
"""
