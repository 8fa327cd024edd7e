"""Who may connect: hosts, origins, places for those who have not joined, and the way to a WebSocket."""
