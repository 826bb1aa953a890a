"""The edge to PostgreSQL of the replay: the only place of the package that imports psycopg.

statements   the named statements of sql/replay.sql
legacy       the old table: its shape, and statements about its rows
generation   writes a generated old table
ledger       cut date, ranges and watermarks of the replay
rows         the named statements of sql/migration.sql
proofs       what a verification asks: sums, and differences
readiness    how far the replay is, as far as later steps depend on it
corrections  what changed in the old table: planned, then acknowledged
standing     who bears the old table's name, and what refers to it
locks        short timeouts, many attempts
swap         how the name changes hands
cutover      the cutover and its way back; dropping: the end of the old table
audit        every step with its evidence
"""
