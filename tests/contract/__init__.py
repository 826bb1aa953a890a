"""Behaviour that two implementations must share, and the pipeline on fakes.

record           records and slices as the store sees them
memory_store     the pipeline's Store on a dictionary
store_suite      what every store must do; inherited by the fake's and the real one's tests
broker, schedule, clock, steps, world   what the pipeline runs on when nothing is real
"""
