"""Commands of backends at a node: what they do to its sessions, and what the node says of them."""
