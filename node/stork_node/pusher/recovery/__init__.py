"""Recovery for Pusher clients: the frames of what a client has missed."""
