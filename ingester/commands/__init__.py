"""The commands of `ingester`, one file each: read arguments, call the work, print the result."""
