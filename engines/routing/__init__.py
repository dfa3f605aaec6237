"""Which engine does a piece of work: chains by language and purpose, health, and a race with a hedge.

All of it decides and does nothing: `engines.tts.router` and `engines.asr.router` are the shells.
"""
