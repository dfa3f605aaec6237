"""Load and measurement from outside the server."""
