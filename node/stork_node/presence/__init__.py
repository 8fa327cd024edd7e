"""Who is online in a topic: the table that every node has, and what a node says of its own users. No I/O."""
