"""A phone for the terminal, on the server's own SIP and media: for authors, the demo and the tests."""
