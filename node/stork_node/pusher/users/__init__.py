"""Users who have signed in: who is online, and who is told of it."""
