"""The commands of ``stork`` about a whole deployment: who is there, and what they are to do."""
