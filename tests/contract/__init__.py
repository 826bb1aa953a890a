"""Behaviour that two implementations must share, and the pipeline on fakes.

slices           values as the slices of a batch
stored           what a store holds, as plain facts
memory_store     the pipeline's Store in memory
store_suite      what every store must do; inherited by the tests of the fake and of the real one
broker, schedule, steps, world   what the pipeline runs on when nothing is real
"""
