"""What a node counts, and how ``/metrics`` and ``/ready`` show it."""
