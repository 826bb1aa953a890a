"""The repository over a known history: its answers equal the functions', sync and async alike."""
