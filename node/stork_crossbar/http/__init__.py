"""HTTP on the public port: heads within bounds and a time, and the way to a WebSocket."""
