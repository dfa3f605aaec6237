"""Calls between the server and phones of other projects, each in its own process."""
