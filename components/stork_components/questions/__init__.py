"""
Questions that all nodes of a deployment answer: ``singleton(Deployment)`` asks, and has what this node answers.

docs/architecture.md#questions-to-all-nodes
"""
