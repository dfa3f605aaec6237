"""Whose turn it is: when a caller's begins, pauses and is over, and how our own voice gives way to it.

`automaton` decides, from the voice-activity detector's probabilities, what the recogniser has heard so far,
and what is being played; `phrasing` tells from words whether a turn is likely to be over, and whether they
take a turn at all; `echo` tells our own voice, come back, from the caller's. All pure.
"""
