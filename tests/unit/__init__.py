"""Tests without any I/O: the pure core, and the edges as far as they are pure."""
