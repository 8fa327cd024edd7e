"""Runs the handlers of an application, in threads and on an asyncio loop of their own."""
