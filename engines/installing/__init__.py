"""Fetches engines: a virtual environment for each group of them, and their weights, checked and resumable."""
