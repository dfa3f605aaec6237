"""What the speech services share: the shape of errors, audio in and out, limits, keys, health, metrics, and a
process that stops gracefully. It knows no engine.
"""
