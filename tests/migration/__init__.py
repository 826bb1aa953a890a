"""The second half of the migration: proofs, corrections and the swap of names, on a real database."""
