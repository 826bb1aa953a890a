"""The second half of the migration on a real database: proofs, corrections, the swap of names."""
