"""Runs the handlers of an application: in threads and on a loop of their own."""
