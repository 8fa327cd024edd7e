"""ZMQ sockets: their options, their encryption, and what their peers may make this process hold."""
