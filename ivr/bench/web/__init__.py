"""Calls that come by the web, and who watches calls there, measured from outside the server."""
