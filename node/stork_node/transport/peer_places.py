"""Which connections give way where a port has more than it may have."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol, TypeVar

GRACE_S = 1.0
"""How long a connection may take to say who it is, on a port that is full."""
_SILENT_SHARE = 4  # a quarter of the places may be of connections that have not said who they are
_LOOPBACK_SHARE = 2  # peers of the own host keep half of the places


class Seated(Protocol):
    """
    A connection.

    Attributes:
        address: of the peer, without its port.
        is_local: whether that is an address of the own host.
        since: when it was made.
        active_at: when a message of it was taken, or else when it was made.
        has_joined: whether it has said who it is.
    """

    address: str
    is_local: bool
    since: float
    active_at: float
    has_joined: bool


S = TypeVar("S", bound=Seated)


def who_gives_way(seated: Sequence[S], most: int, now: float) -> list[S]:
    """
    Choose as many as there are beyond ``most``, in the order in which they are to be cut.

    First the oldest that have not said who they are, where they are old or too many: somebody holds places without a
    word. Then of the address with the most connections the one that was idle longest. Peers of the own host keep up to
    half of the places.
    """
    left = _without_protected(seated, most)
    silent = sorted((each for each in left if not each.has_joined), key=lambda each: each.since)
    joined = sorted((each for each in left if each.has_joined), key=lambda each: each.active_at)
    places = Counter(each.address for each in joined)
    chosen: list[S] = []
    for _ in range(len(seated) - most):
        is_old = bool(silent) and now - silent[0].since >= GRACE_S
        if silent and (is_old or not joined or len(silent) > most // _SILENT_SHARE):
            chosen.append(silent.pop(0))
            continue
        [(busiest, _)] = places.most_common(1)
        idle = next(each for each in joined if each.address == busiest)
        joined.remove(idle)
        places[busiest] -= 1
        chosen.append(idle)
    return chosen


def _without_protected(seated: Sequence[S], most: int) -> list[S]:
    foreign = [each for each in seated if not each.is_local]
    is_protected = foreign and len(seated) - len(foreign) <= most // _LOOPBACK_SHARE
    # Where nearly all connections are of the own host, they are like any others.
    return foreign if is_protected and len(foreign) >= len(seated) - most else list(seated)
