"""The prompt cache in memory and on disk, what is made ahead of calls, and the commands over it."""
