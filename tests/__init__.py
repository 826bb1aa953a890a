"""Tests, and the services they run on.

unit/        no I/O
contract/    one suite, run on the fake and on the real
sql/         the schema, on every supported PostgreSQL
acceptance/  the real processes, named after what must survive
services/    a real Kafka and a real PostgreSQL wherever this runs; also behind `make up`
"""
