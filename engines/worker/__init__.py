"""The child side of an engine: one engine, one process, standard library only besides the engine's own
needs.
"""
