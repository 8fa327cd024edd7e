"""What is written to whom in one turn of the reactor."""
