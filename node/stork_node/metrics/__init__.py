"""The figures of a node, and their forms in ``/metrics`` and ``/ready``."""
