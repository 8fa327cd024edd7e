"""The node's own part of HTTP: request heads and their bounds, and the known hosts and origins."""
