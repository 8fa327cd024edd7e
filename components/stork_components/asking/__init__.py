"""Requests to the application, and its answers."""
