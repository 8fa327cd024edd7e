"""A client's connection: what is read from it, what it is held to, and how it ends."""
