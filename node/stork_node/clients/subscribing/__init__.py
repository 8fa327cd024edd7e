"""A subscriber without a socket: the client's half of delivery (docs/delivery.md#the-clients-algorithm)."""
