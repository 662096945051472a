"""The pure heart: values and decisions, without I/O, clocks or chance.

Nothing here awaits, reads a clock or draws a random number; time is always an argument (``at``).
"""
