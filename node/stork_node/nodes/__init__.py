"""Nodes and commands as the log tells of them: tables, leases, whom a command binds. No I/O."""
