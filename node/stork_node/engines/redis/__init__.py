"""
The log on a Redis that several publish servers share (docs/engine.md#redis).

    {stork}:meta     epoch, lineage, numbers          {stork}:ids:…     ids of five minutes, in buckets of a minute
    {stork}:log      a stream, one entry a number     {stork}:state:*   nodes, leases, a snapshot of the state
    {stork}:brief    bodies of store: false, for 10 s

Each script begins with ``begin.lua``, which starts a new epoch where the entries may not be those that were stored.
"""
