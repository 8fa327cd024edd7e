"""Tickets that are tokens: the guard checks them in its own process, and fetches the key sets."""
