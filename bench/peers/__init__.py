"""Other ways from Kafka to PostgreSQL, beside ours: `python -m bench.peers`, or `make bench-peers`.

side        one measured run of a peer, judged from outside by the rows it leaves
naive       a consumer as one writes it first: json.loads, executemany, commit
faststream  FastStream's batch subscriber and executemany
quix        Quix Streams' own PostgreSQLSink
connect     Kafka Connect with Debezium's JDBC sink
packages    what is installed for them, by pinned version, into .local/peers
"""
