"""The limits of clients and of their sessions, and who has none."""
