"""
For Django projects: pushes after the commit, tickets from the session, and what app.py needs beside Django.

``settings.STORK`` may have arguments of ``Publisher``: ``{"endpoint": "tcp://publish:5557", "timeout_ms": 500}``.
"""

from stork_node.django.connections import closing_connections
from stork_node.django.pushes import apage_position, apush, page_position, push_on_commit
from stork_node.django.tickets import check_user, ticket

__all__ = ["apage_position", "apush", "check_user", "closing_connections", "page_position", "push_on_commit", "ticket"]
