"""Calls that come by the web, measured from outside the server."""
