"""The WAMP components that Crossbar starts: thin shells with sockets and sessions, no decisions."""
