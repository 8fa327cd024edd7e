"""
A reserve of file descriptors: strangers get none of the last ones, so that the operator's port and the node's own
connections always have some.
"""

import resource

from twisted.protocols.policies import ProtocolWrapper

RESERVED = 64
# Of a small limit, most is for clients all the same.
_MOST_RESERVED_OF = 8


def into_reserve(transport: object) -> float:
    """
    How far a connection that has just come is into the reserve: 0 not at all, 1 has the very last descriptor.

    A new one gets the lowest that is free, so that it tells how many are used.
    """
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY or not hasattr(transport, "fileno"):
        return 0.0
    reserved = max(1, min(RESERVED, limit // _MOST_RESERVED_OF))
    return float(max(0, transport.fileno() + 1 - (limit - reserved)) / reserved)
