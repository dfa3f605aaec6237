"""Calls that come by the web: browsers, sockets, Exotel's stream."""
