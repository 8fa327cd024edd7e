"""Clients for backends: push, call procedures, follow topics."""
