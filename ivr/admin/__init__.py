"""`ivr admin`: the dashboard, in a process of its own. It knows the server by its HTTP API alone."""
