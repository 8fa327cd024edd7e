"""What the node's own pages are made of."""
