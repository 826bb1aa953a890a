"""The edge to PostgreSQL of the replay: the only place of the package that imports psycopg.

statements   the named statements of sql/replay.sql
legacy       the old table: its shape, and statements about its rows
generation   writes a generated old table
ledger       cut date, ranges and watermarks of the replay
"""
