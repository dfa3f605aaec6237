"""Conversations with a language model, for the `agent` steps of flows.

`dialogue` decides (pure: events and the time in, commands out), `service` carries it out. The others are what
`dialogue` decides with: sentences out of tokens, what was really said, what may be said, and the words that
are always the same.
"""
