"""A whole deployment in one process, on a virtual clock, from one seed.

The real journey and workers of one to three replicas run on the in-memory store against a simulated cluster
and pager, while replicas crash at any call, freeze, lose answers and meet errors. A checker that knows
nothing of the program reads the recorded history and holds it to the promises.
"""
