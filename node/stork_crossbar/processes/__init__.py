"""The processes of a node that run Crossbar."""
