"""Presence on the wire: what nodes say of their users, and the table that a node begins with."""
