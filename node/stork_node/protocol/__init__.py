"""The data between browsers, nodes, publish server and backends: grammar, limits and bytes. No I/O."""
