"""HTTP as far as the node reads it itself: request heads, the bounds on them, and which hosts and origins it knows."""
