"""The HTTP API of Pusher backends: what they send, and what they are answered."""
