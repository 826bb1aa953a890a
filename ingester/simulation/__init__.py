"""Realistic campaign traffic from a seed, with faults in known numbers.

A record is made in the order of these files, and each step is lazy: memory follows the campaigns
and the mails in flight, never the number of records.

    plan       what is asked for: exact numbers of valid, repeated and invalid records
    selection  picks exactly n of m, one candidate at a time
    campaign   who sends: an id, a life of days to weeks, sending waves, a funnel
    funnel     how many mails are sent, bounced, opened, clicked, replied to
    life       one campaign's touches in the order of time
    timeline   all campaigns' touches in the order of publishing, some late
    metadata   what a producer adds to an event
    event      a touch with every field of the contract
    wire       an event as the bytes of a record, as different producers write it
    spoil      ways to spoil an event
    faults     records that must be rejected, each with the reason
    earlier    a bounded memory of what was published, to repeat it
    stream     all of it interleaved: `records(plan)`
    tally      what was published, to be compared with what was stored

Pure: no input or output, no clock of its own, no randomness but the seed. Times are microseconds
since 1970-01-01 UTC (`_us`).
"""
