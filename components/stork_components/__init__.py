"""WAMP components: they connect sockets and sessions to the decisions in ``stork_node``."""
