"""A subscriber without a socket: the client's half of delivery (DELIVERY, "The client's algorithm")."""
