"""A client's connection: how it is read, which limits it has, and how it ends."""
