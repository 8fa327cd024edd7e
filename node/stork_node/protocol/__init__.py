"""What travels between browsers, nodes, publish server and backends: its grammar, its limits and its bytes. No I/O."""
