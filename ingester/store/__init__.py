"""The edge to PostgreSQL: what imports psycopg, but for the pool of `ingester.repository`.

connection   opens connections and turns SQLSTATEs into our errors
statements   the named statements of sql/*.sql
migrator     brings a database to this version's schema
campaigns    campaign ids to keys, cached
events       the write path: one batch, one transaction
positions    stored offsets as an operator sees and changes them
quarantine   rejects as an operator sees and settles them
refresher    folding, partitions ahead, retention, the ledger's upkeep
reading      what `status` and `stats` show
verification the proof that everything balances
"""
