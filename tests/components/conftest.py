"""Crossbar is imported before all else: what it imports warns of much, and warnings are errors in tests."""

from tests.components import router_inside

__all__ = ["router_inside"]
