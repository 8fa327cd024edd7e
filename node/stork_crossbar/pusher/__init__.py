"""The WebSockets of Pusher clients, in the router process and without a WAMP session."""
