"""A synthetic legacy table with the legacy system's exact figures, from a seed; pure.

figures   what there must be of everything, at any scale
shares    whole numbers that add up: exact totals and exact samples
lives     campaigns: when they were made, in which waves they were active
values    the numbers of their active days
"""
