"""SIPp scenarios against a running server, and what runs them."""
