"""The commands of `replay`, one file each: read arguments, call the work, print the result."""
