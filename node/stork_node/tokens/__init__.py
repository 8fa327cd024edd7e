"""JSON Web Tokens as tickets: settings, keys and claims, without I/O. The guard checks them with ``checking``."""
