"""The opening of connections: hosts, origins, limits before joining, and the way to a WebSocket."""
