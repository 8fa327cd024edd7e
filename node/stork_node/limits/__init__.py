"""Limits that are kept by counting: rates, places, and one log line a minute about each. No I/O."""
