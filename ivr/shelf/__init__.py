"""The flows of a server while it runs: files that change, versions that calls hold, and what is kept of old
ones."""
