"""Reads e-mail campaign events from Kafka and writes them to PostgreSQL, each exactly once."""
