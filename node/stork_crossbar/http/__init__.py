"""HTTP on the public port: bounded heads, deadlines, and the way to a WebSocket."""
