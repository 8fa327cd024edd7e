"""What clients get about presence: the event of a change, and the answer of ``io.virge.stork.online``."""

from collections.abc import Mapping
from typing import Any

import msgspec

from stork_node.presence.table import Change
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.snapshots import OnlineUser
from stork_node.protocol.timestamps import format_timestamp

EVENT_TYPE = "stork.presence"
MOST_USERS = 1_000
"""Named in one event, or in one answer."""
MAX_EVENT_BYTES = 256 << 10

_RESYNC = b'{"resync":true}'
_encode = msgspec.json.Encoder().encode


def encode_event(change: Change, users: Mapping[str, OnlineUser], at_ms: int) -> bytes:
    """
    The event of a change; ``users`` is the topic after it.

    Its data is ``{"online": [{"authid", "info", "since"}], "offline": ["authid"]}``. Of too many users it says
    ``{"resync": true}``: a client asks anew who is online.
    """
    data = _RESYNC
    if len(change.online) + len(change.offline) <= MOST_USERS:
        online = [_shown(authid, users[authid]) for authid in change.online if authid in users]
        data = _encode({"online": online, "offline": change.offline})
        if len(data) > MAX_EVENT_BYTES:
            data = _RESYNC
    stamp = format_timestamp(at_ms / 1000).encode()
    return b'{"type":"%b","data":%b,"timestamp":"%b"}' % (EVENT_TYPE.encode(), data, stamp)


def online_answer(users: Mapping[str, OnlineUser], at: Position, has_users: bool = True) -> dict[str, Any]:
    """Who is online at a position. Users are named on request, and only if they are 1,000 at most."""
    answer: dict[str, Any] = {"count": len(users), "position": str(at)}
    if has_users and len(users) <= MOST_USERS:
        answer["users"] = [
            {**_shown(authid, user), "info": msgspec.json.decode(bytes(user.info))} for authid, user in users.items()
        ]
    return answer


def _shown(authid: str, user: OnlineUser) -> dict[str, Any]:
    return {"authid": authid, "info": user.info, "since": format_timestamp(user.since_ms / 1000)}
