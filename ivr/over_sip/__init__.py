"""Scenarios as real calls: a server of their own, a phone that plays the caller, and endpoints that answer as
the scenario says."""
