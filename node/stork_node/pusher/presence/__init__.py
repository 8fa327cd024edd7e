"""Presence channels: who is in them, as the clients of one node are told."""
