"""
A reserve of file descriptors: strangers get none of the last ones, so that the operator's port and the node's own
connections always have some.
"""

import resource

from twisted.protocols.policies import ProtocolWrapper

RESERVED = 64
# Of a small limit, most is for clients all the same.
_MOST_RESERVED_OF = 8


def is_of_reserve(transport: object) -> bool:
    """Whether a connection that has just come has one of the last descriptors: it got the lowest that was free."""
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY or not hasattr(transport, "fileno"):
        return False
    is_last: bool = transport.fileno() >= limit - min(RESERVED, limit // _MOST_RESERVED_OF)
    return is_last
