"""What can go wrong with three machines that share a log on Redis (docs/engine.md)."""

from tests.chaos.schedule import HAPROXY

REDIS = ("Redis 1", "Redis 2", "Redis 3")
SENTINELS = ("Sentinel 1", "Sentinel 2", "Sentinel 3")
SERVERS = ("publish server 1", "publish server 2", "publish server 3")
NODES = ("node 1", "node 2", "node 3")
MACHINES = ("machine 1", "machine 2", "machine 3")
MASTER, REPLICAS, ENGINE = "master", "replicas", "engine"
KEYS = ("log", "meta")

LANES = (MASTER, REPLICAS, ENGINE, *KEYS, *REDIS, *SENTINELS, *SERVERS, *NODES, *MACHINES, HAPROXY)

KINDS: dict[str, tuple[tuple[str, ...], int]] = {
    # kill -9; what is not started again by its ``stork up`` is after the fault's seconds
    "kill": ((MASTER, *REDIS, *SENTINELS, *SERVERS, *NODES, *MACHINES, HAPROXY), 6),
    # SIGSTOP, then SIGCONT
    "stop": ((MASTER, REPLICAS, ENGINE, *SERVERS, *NODES, *MACHINES), 4),
    # a machine's packets to the others are lost; clients still reach it
    "cut": ((MASTER, *MACHINES), 3),
    # all replicas lag, pushes wait for none of them, and the master is killed: what it had is lost
    "lose": ((MASTER,), 1),
    "flush": ((MASTER,), 1),  # FLUSHALL
    "forget": (KEYS, 1),  # one key is deleted
    "unload": ((MASTER,), 1),  # SCRIPT FLUSH
    "hang up": ((MASTER,), 1),  # all connections to Redis are closed
    "promote": ((MASTER,), 1),  # a planned switch of the master
    "full": ((MASTER,), 1),  # no memory left
}
