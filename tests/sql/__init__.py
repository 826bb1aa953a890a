"""What the SQL functions promise, shown on a real PostgreSQL.

`history.py` writes events and ledger rows as the ingester would, and knows the truth: a GROUP BY
over the events of folded batches. Each test file is named after the function it is about;
`test_random_histories.py` mixes them all.
"""
