"""
The table of presence in parts, for a node that begins.

    DEALER → stork 1 presence {"snapshot":"","part":0}
    ROUTER → stork 1 rows {"epoch":"…","run":"…","tail":14,"snapshot":"…","part":0,"parts":2,"incarnations":[…],…}

All parts are of one number, ``tail``. Part 0 without a snapshot makes one, which is kept for a minute.
"""

from typing import Annotated

from msgspec import Meta, Raw, Struct

from stork_node.protocol.positions import MAX_SEQUENCE

PART_BYTES = 512 << 10
"""About so much is in one part."""

_Name = Annotated[str, Meta(max_length=64)]
_Number = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]


class PresenceRequest(Struct, frozen=True):
    """A node asks for a part; an empty ``snapshot`` asks for a new one."""

    snapshot: _Name = ""
    part: _Number = 0


class UserRow(Struct, frozen=True, array_like=True, gc=False):
    """
    One user in a topic.

    Attributes:
        on: the nodes that have the user: places in ``PresenceRows.incarnations``.
        absent: the number of the entry since which nobody has; 0 if somebody has.
        info: JSON of what the application says; ``null`` for nothing.
    """

    authid: str
    since_ms: _Number
    on: tuple[int, ...]
    absent: _Number
    info: Raw


class TopicRows(Struct, frozen=True, array_like=True, gc=False):
    """The users of a topic, or some of them."""

    topic: str
    wait_ms: _Number
    users: tuple[UserRow, ...]


class PresenceRows(Struct, frozen=True):
    """One part; ``snapshot`` is empty if it is kept no more, and has to be asked for anew."""

    epoch: _Name
    run: _Name
    tail: _Number
    snapshot: _Name
    part: _Number
    parts: _Number
    incarnations: tuple[_Name, ...]
    is_settled: bool
    topics: tuple[TopicRows, ...]
