"""
The table of presence in parts, for a node that begins.

    DEALER → stork 1 presence {"snapshot":"","part":0}
    ROUTER → stork 1 rows {"epoch":"…","run":"…","tail":14,"snapshot":"…","part":0,"parts":2,"is_settled":true,…}

All parts are of one number, ``tail``. Part 0 without a snapshot makes one, which is kept for a minute.
"""

from typing import Annotated

from msgspec import Meta, Raw, Struct

from stork_node.protocol.positions import MAX_SEQUENCE

PART_BYTES = 512 << 10
"""About so much is in one part."""

_Name = Annotated[str, Meta(max_length=64)]
_Number = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]

NO_INFO = Raw(b"null")


class OnlineUser(Struct, array_like=True, gc=False):
    """
    Attributes:
        since_ms: when the user came online, in ms since 1970.
        on: the incarnations of the nodes that have it; empty while it is absent.
        info: JSON of what the application said of it last.
    """

    since_ms: _Number
    on: tuple[_Name, ...]
    info: Raw = NO_INFO


class Room(Struct, array_like=True):
    """A topic with users, or some of them; ``wait_ms``: how long one may be absent."""

    wait_ms: _Number
    users: dict[str, OnlineUser]


Absence = tuple[str, str, _Number]
"""A topic, a user, and the number of the entry since which nobody has it."""


class PresenceRequest(Struct, frozen=True):
    """A node asks for a part; an empty ``snapshot`` asks for a new one."""

    snapshot: _Name = ""
    part: _Number = 0


class PresenceRows(Struct, frozen=True):
    """One part; ``snapshot`` is empty if it is kept no more, and has to be asked for anew."""

    epoch: _Name
    run: _Name
    tail: _Number
    snapshot: _Name
    part: _Number
    parts: _Number
    is_settled: bool
    rooms: tuple[tuple[str, Room], ...] = ()
    absent: tuple[Absence, ...] = ()
