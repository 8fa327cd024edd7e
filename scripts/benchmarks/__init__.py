"""``scripts/bench``: Stork node beside other servers that push to WebSockets, on this machine."""
